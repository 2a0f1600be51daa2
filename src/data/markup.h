// Recognises the markup of a text: tags, entities, escapes, commands.
#pragma once

#include <cstddef>
#include <string_view>

namespace gabbro::data {

/// Returns true if markup may begin with `c`.
constexpr bool may_be_markup(char32_t c) { return c == '<' || c == '&' || c == '\\' || c == '%' || c == '='; }

struct Markup {
  std::size_t bytes = 0;      // 0 if there is no markup
  char32_t character = '\t';  // what it stands for; a tab if it is no letter or digit
};

/// Returns the markup with which `text` begins: a tag of HTML or XML (of comments, CDATA sections and
/// declarations only what opens them, since they may hold text), an entity (&eacute;, &#233;, &amp;#233;), an
/// escape of a string (\n, \xe9, \u00e9), a character of several bytes, or a letter of Latin-1, as %C3%A9,
/// =C3=A9 or =E9 (those of ASCII might be text), or a command of TeX or RTF (\emph, \par; in RTF with its
/// number, and \'e9).
Markup markup_at(std::string_view text, bool is_rtf);

}  // namespace gabbro::data
