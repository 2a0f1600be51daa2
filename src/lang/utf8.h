// What to write in place of characters that only look like those of the language.
#pragma once

#include <string>

namespace gabbro::lang {

/// How to write `character` in ASCII: "write * instead", "write lambda instead" ...
std::string ascii_hint(char32_t character);

}  // namespace gabbro::lang
