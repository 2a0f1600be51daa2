// Handles text from outside: programs, replies of models, file names, output of workers.
#pragma once

#include <string>
#include <string_view>

namespace gabbro {

/// Returns `text` in a form that is safe to show on a terminal or a page. Control characters, format
/// characters (such as those that set the direction of writing) and other invisible characters are escaped as
/// in JSON, as \u with four hex digits. Bytes that are not UTF-8 become U+FFFD. Line ends and tabs stay. JSON
/// and Gab have such characters only in strings and comments, so escaped JSON and Gab keep their meaning.
std::string printable(std::string_view text);

/// Does the same on one line: line ends and tabs are escaped, too.
std::string printable_line(std::string_view text);

/// Returns true if a character is invisible: control and format characters, fillers, variation selectors,
/// noncharacters.
bool is_invisible(char32_t c);
/// Returns true if a character has Unicode's property White_Space.
bool is_white(char32_t c);

/// Returns the nesting depth of lists and objects in a JSON text. Deep nesting in untrusted text could
/// exhaust the memory or the stack of its reader.
int nesting_depth(std::string_view text);
/// Returns a JSON text in which what parsers refuse, but what has only one meaning, is replaced: bytes that
/// are not UTF-8 and halves of UTF-16 surrogate pairs become U+FFFD, and control characters inside of strings
/// are escaped. Valid JSON stays as it is. O(bytes).
std::string mended_json(std::string_view text);
/// The maximum nesting depth of JSON that is read.
constexpr int kMaxNesting = 64;

}  // namespace gabbro
