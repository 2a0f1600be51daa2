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
