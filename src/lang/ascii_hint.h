// Replacements for characters that only look like those of the language.
#pragma once

#include <string>

namespace gabbro::lang {

/// Returns how to write `character` in ASCII: "write * instead", "write lambda instead" ...
std::string ascii_hint(char32_t character);

}  // namespace gabbro::lang
