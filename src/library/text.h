// Text of strangers: made safe to search with, to store and to put into a prompt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gabbro::library {

/// An FTS5 expression for free text, never a syntax error: its words quoted, words of three letters and more
/// also as prefixes, neighbours as phrases, joined by OR. Words without meaning of their own are left out
/// where others remain; at most 48 words count. "" where there is no word at all.
std::string match_expression(std::string_view query);

/// Valid UTF-8 without control characters but line ends and tabs: what is wrong is replaced.
std::string clean(std::string_view text);

/// `text` in pieces of at most `size` bytes, cut at ends of paragraphs, lines or words where there are any.
std::vector<std::string> passages(std::string_view text, std::size_t size);

/// At most `size` bytes of `text`, cut between words, with " ..." where something is missing.
std::string shortened(std::string_view text, std::size_t size);

/// `text` as a fenced block for a prompt, which nothing in it can end: runs of fence characters become
/// apostrophes, marks of chat templates are broken up, control and invisible direction characters go. `label`
/// stands beside the opening fence, its letters, digits and " .,:-_/" alone.
std::string fenced(std::string_view label, std::string_view text);

}  // namespace gabbro::library
