// Makes text from third parties safe for searching, storing and prompts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gabbro::library {

/// Converts any text to an expression of SQLite's FTS5 without syntax errors. Words are quoted, words of
/// three bytes or more also match as prefixes, neighbours also match as phrases, and all are joined by OR.
/// Stop words are left out if other words remain; at most 48 words count. Returns "" if there are no words.
std::string match_expression(std::string_view query);

/// Returns the words of a text in lower case: runs of ASCII letters, digits and bytes beyond ASCII.
std::vector<std::string> words_of(std::string_view text);

/// Phrases to be found in texts. Words stand between spaces; one that ends in * matches by its beginning.
class Phrases {
 public:
  /// Parses phrases with ", " between them. `list` must outlive this object.
  explicit Phrases(std::string_view list);
  /// Returns true if one of the phrases stands in a text with these words (words_of).
  [[nodiscard]] bool any_in(const std::vector<std::string>& words) const;
  [[nodiscard]] const std::vector<std::string_view>& texts() const { return texts_; }

 private:
  std::vector<std::string_view> texts_;
  std::vector<std::vector<std::string_view>> patterns_;  // the words of each phrase
};

/// Returns valid UTF-8 without control characters except line ends and tabs; invalid bytes are replaced.
std::string clean(std::string_view text);

/// Splits `text` into pieces of at most `size` bytes, preferably at the ends of paragraphs, lines, sentences
/// or words.
std::vector<std::string> passages(std::string_view text, std::size_t size);

/// Returns `text`, or its first `size` bytes at most, cut between words and followed by " ...".
std::string excerpt(std::string_view text, std::size_t size);

/// Returns `text` as a fenced block for a prompt that nothing in the text can close. Runs of fence characters
/// become apostrophes, tags of chat templates are broken up, and control characters and invisible direction
/// characters are removed. `label` follows the opening fence; only its letters, digits and " .,:-_/" are
/// kept.
std::string fenced(std::string_view label, std::string_view text);

}  // namespace gabbro::library
