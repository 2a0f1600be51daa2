// Recognises the markup of a text: tags, entities, escapes, commands.
#pragma once

#include <cstddef>
#include <string_view>

#include "data/tag.h"

namespace gabbro::data {

/// Returns true if markup may begin with `c`.
constexpr bool may_be_markup(char32_t c) {
  return c == '<' || c == '&' || c == '\\' || c == '%' || c == '=' || c == '\x1b';
}

struct Markup {
  std::size_t bytes = 0;      // 0 if there is no markup
  char32_t character = '\t';  // what it stands for; a tab if it divides text, U+200B if it does not
};

/// Reads the markup of a document: tags of HTML and XML (of comments, CDATA sections and declarations only
/// what opens them, since they may hold text), entities (&eacute;, &#233;, &amp;#233;), escapes of strings
/// (\n, \xe9, \u00e9), characters of several bytes, or letters of Latin-1, as %C3%A9, =C3=A9 or =E9 (those of
/// ASCII might be text), sequences of terminals (colours), and commands of TeX or RTF (\emph, \par; in RTF
/// with their numbers, and \'e9). What only looks like a tag is text (tag.h), and so are commands, or
/// entities without a meaning, that hold most letters of a document and are as varied as words.
class MarkupReader {
 public:
  /// `document` must outlive it. O(bytes).
  explicit MarkupReader(std::string_view document);
  /// Returns the markup that begins at `offset`.
  [[nodiscard]] Markup at(std::size_t offset) const;

 private:
  std::string_view document_;
  bool is_rtf_;
  bool keeps_commands_, keeps_entities_;  // they are the words of the text
  ElementNames elements_;
};

}  // namespace gabbro::data
