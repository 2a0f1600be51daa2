#include "library/text.h"

#include <utf8.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace gabbro::library {

namespace {

constexpr std::size_t kMaxWords = 48;
constexpr std::size_t kMinPrefixBytes = 3;  // shorter words match only as a whole

// Stop words: frequent words of questions and sentences, which are useless in a search for papers.
constexpr std::array<std::string_view, 73> kStopWords{
    "a",     "about", "an",      "and",   "are",   "as",    "at",    "be",   "by",     "can",    "do",
    "does",  "for",   "from",    "how",   "in",    "into",  "is",    "it",   "its",    "of",     "on",
    "or",    "paper", "that",    "the",   "their", "there", "to",    "what", "when",   "which",  "with",
    "we",    "i",     "me",      "this",  "these", "why",   "not",   "than", "papers", "same",   "several",
    "times", "run",   "every",   "each",  "new",   "old",   "one",   "two",  "once",   "before", "after",
    "give",  "let",   "letting", "keep",  "make",  "few",   "small", "all",  "only",   "them",   "without",
    "over",  "while", "so",      "place", "where", "whose", "very"};

// Returns true for letters in lower case, digits and all bytes of characters beyond ASCII.
bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + separator.size(), text.size()));
  }
  return out;
}

// Returns the other spelling of a word with "iz" or "is", such as "normalisation" for "normalization"; papers
// use both.
std::string other_spelling(const std::string& word) {
  for (const auto& [from, to] : {std::pair{"iz", "is"}, std::pair{"is", "iz"}})
    for (const char* end : {"ation", "e", "ed", "es", "ing", "er"}) {
      const std::string tail = std::string(from) + end;
      if (word.size() > tail.size() + 2 && word.ends_with(tail))
        return word.substr(0, word.size() - tail.size()) + to + end;
    }
  return {};
}

// Returns true for zero-width characters, direction marks, the byte-order mark and tag characters, with which
// a text can hide instructions from a reader.
bool is_invisible(std::uint32_t c) {
  return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) ||
         c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Returns the position of a cut that leaves at most `size` bytes: after the last separator in the second
// half, or else between characters.
std::size_t cut_at(std::string_view text, std::size_t size) {
  for (const std::string_view separator : {"\n\n", "\n", ". ", " "}) {
    const auto at = text.rfind(separator, size - separator.size());
    if (at != std::string_view::npos && at >= size / 2) return at + separator.size();
  }
  // Bytes of the form 10xxxxxx continue a character of UTF-8.
  while (size > 1 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return size;
}

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    char c = i < text.size() ? text[i] : ' ';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (is_word_byte(c)) {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  return out;
}

Phrases::Phrases(std::string_view list) : texts_(split_at(list, ", ")) {
  for (const std::string_view phrase : texts_) patterns_.push_back(split_at(phrase, " "));
}

bool Phrases::any_in(const std::vector<std::string>& words) const {
  const auto matches = [](const std::string& word, std::string_view pattern) {
    if (!pattern.ends_with('*')) return pattern == word;
    return word.starts_with(pattern.substr(0, pattern.size() - 1));
  };
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::vector<std::string_view>& p) {
    return std::search(words.begin(), words.end(), p.begin(), p.end(), matches) != words.end();
  });
}

std::string match_expression(std::string_view query) {
  std::vector<std::string> words = words_of(clean(query));
  std::vector<std::string> kept;
  for (const std::string& w : words)
    if (std::find(kStopWords.begin(), kStopWords.end(), w) == kStopWords.end()) kept.push_back(w);
  if (!kept.empty()) words = std::move(kept);  // A query of stop words only is searched as it is.
  if (words.size() > kMaxWords) words.resize(kMaxWords);
  std::string out;
  const auto add = [&](const std::string& term) { out += (out.empty() ? "" : " OR ") + term; };
  for (std::size_t i = 0; i < words.size(); ++i) {
    add("\"" + words[i] + "\"");
    if (words[i].size() >= kMinPrefixBytes) add("\"" + words[i] + "\"*");
    if (const std::string other = other_spelling(words[i]); !other.empty()) add("\"" + other + "\"");
    if (i + 1 < words.size()) add("\"" + words[i] + " " + words[i + 1] + "\"");
  }
  return out;
}

std::string clean(std::string_view text) {
  std::string valid, out;
  utf8::replace_invalid(text.begin(), text.end(), std::back_inserter(valid));
  for (auto at = valid.cbegin(); at != valid.cend();) {
    const std::uint32_t c = utf8::next(at, valid.cend());
    if (c == '\f' || c == '\v') {
      out += '\n';  // pdftotext separates pages by form feeds.
    } else if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0))) {
      utf8::append(c, std::back_inserter(out));
    }
  }
  return out;
}

std::vector<std::string> passages(std::string_view text, std::size_t size) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = text.size() <= size ? text.size() : cut_at(text, size);
    if (const auto piece = trimmed(text.substr(0, end)); !piece.empty()) out.emplace_back(piece);
    text.remove_prefix(end);
  }
  return out;
}

std::string excerpt(std::string_view text, std::size_t size) {
  if (text.size() <= size) return std::string(text);
  return std::string(trimmed(text.substr(0, cut_at(text, size)))) + " ...";
}

std::string fenced(std::string_view label, std::string_view text) {
  const std::string safe = clean(text);
  std::string body;
  for (auto at = safe.cbegin(); at != safe.cend();)
    if (const std::uint32_t c = utf8::next(at, safe.cend()); !is_invisible(c))
      utf8::append(c, std::back_inserter(body));
  for (std::size_t i = 0; i < body.size();) {
    std::size_t end = i;
    while (end < body.size() && (body[end] == '`' || body[end] == '~')) ++end;
    if (end - i >= 3)  // Three such characters are a fence.
      std::fill(body.begin() + static_cast<long>(i), body.begin() + static_cast<long>(end), '\'');
    i = end + 1;
  }
  replace_all(body, "<|", "< |");
  replace_all(body, "|>", "| >");
  std::string name;
  for (const char c : label)
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        std::string_view(" .,:-_/").find(c) != std::string_view::npos)
      name += c;
  return "```" + name + "\n" + std::string(trimmed(body)) + "\n```\n";
}

}  // namespace gabbro::library
