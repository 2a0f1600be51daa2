// Text from outside: programs, replies of models, names of files, what workers say.
#pragma once

#include <string>
#include <string_view>

namespace gabbro {

/// `text` as a terminal or a page may show it: characters that command a terminal, set the direction of
/// writing or are not seen (those of control and format) as \u and their number in four digits, as JSON
/// escapes them; bytes that are no UTF-8 as U+FFFD. Lines and tabs stay. Outside of JSON's strings and Gab's
/// comments such characters do not occur, so that both still say the same.
std::string printable(std::string_view text);

/// The same on one line: also line breaks and tabs are escaped.
std::string printable_line(std::string_view text);

/// Returns whether a character is invisible: control and format characters, fillers, variation selectors,
/// noncharacters.
bool is_unseen(char32_t c);
/// Returns whether a character has Unicode's property White_Space.
bool is_white(char32_t c);

/// How deeply lists and objects are nested in a JSON text. A hostile author could exhaust the memory or the
/// stack of its reader by it.
int nesting(std::string_view text);
constexpr int kDeepest = 64;  // that is read

}  // namespace gabbro
