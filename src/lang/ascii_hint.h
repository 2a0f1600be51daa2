// Replacements for characters that only look like those of the language.
#pragma once

#include <string>
#include <string_view>

namespace gabbro::lang {

/// Returns how to write `character` in ASCII: "write * instead", "write lambda instead" ...
std::string ascii_hint(char32_t character);

/// Returns `program` with the signs that have one reading written in ASCII, and with four spaces for each tab
/// in an indentation: "x × 2" becomes "x * 2", "a ≤ b" becomes "a <= b". Comments stay as they are. This is
/// for programs that models write; files are not read so. O(bytes).
std::string with_ascii_signs(std::string_view program);

}  // namespace gabbro::lang
