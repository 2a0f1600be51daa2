#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "library/reader.h"
#include "library/text.h"

namespace gabbro::library {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// Thrown by Scanner where an entry does not follow the syntax.
struct InvalidEntry {};

// Reads the parts of BibTeX entries, one after the other, from a position that it advances.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // Goes behind the next "@". Returns false at the end of the text.
  bool next_entry() {
    at_ = std::min(text_.find('@', at_), text_.size());
    if (at_ == text_.size()) return false;
    start_ = at_++;
    return true;
  }
  // Returns the line of the current entry, from 1.
  [[nodiscard]] std::size_t line() const {
    return 1 + static_cast<std::size_t>(
                   std::count(text_.begin(), text_.begin() + static_cast<long>(start_), '\n'));
  }
  // Reads a word: a key, or the name of a kind, field or string; "" if none follows.
  std::string word() {
    skip_space();
    const std::size_t from = at_;
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n{}(),=#\"").find(text_[at_]) == std::string_view::npos)
      ++at_;
    return std::string(text_.substr(from, at_ - from));
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // Reads `c`. Throws InvalidEntry if another character follows.
  void expect(char c) {
    if (!take(c)) throw InvalidEntry();
  }
  // Reads a value: {braced}, "quoted", a number, or the name of a string, several of them joined by #.
  std::string value() {
    std::string out;
    do {
      skip_space();
      if (at_ < text_.size() && text_[at_] == '{')
        out += enclosed('}');
      else if (at_ < text_.size() && text_[at_] == '"')
        out += enclosed('"');
      else
        out += word();
    } while (take('#'));
    return out;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  // Reads the text up to `end` at the outermost level of braces, without either delimiter.
  std::string enclosed(char end) {
    const std::size_t from = ++at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\\') {
        ++at_;
      } else if (c == end && depth == 0) {
        return std::string(text_.substr(from, at_++ - from));
      } else if (c == '{') {
        ++depth;
      } else if (c == '}' && --depth < 0) {
        break;
      }
    }
    throw InvalidEntry();
  }

  std::string_view text_;
  std::size_t at_ = 0, start_ = 0;  // the position, and that of the current entry
};

// Removes TeX markup: braces are dropped, accents leave their letter, and other commands leave their
// argument.
std::string without_tex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      const char mark = text[++i];
      const bool is_letter = (mark >= 'a' && mark <= 'z') || (mark >= 'A' && mark <= 'Z');
      if (std::string_view("&%$#_").find(mark) != std::string_view::npos) out += mark;
      while (is_letter && i + 1 < text.size() && ((text[i + 1] | 32) >= 'a' && (text[i + 1] | 32) <= 'z'))
        ++i;
    } else if (c == '~' || c == '\n' || c == '\t' || c == '\r' || c == ' ') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (c != '{' && c != '}') {
      out += c;
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

// Converts "Yang, Songlin and Bailin Wang and others" to "Yang, Wang et al.", with at most kMaxAuthors names.
std::string surnames(const std::string& authors) {
  constexpr std::string_view kAnd = " and ";
  std::string out;
  std::size_t count = 0;
  for (std::size_t begin = 0; begin <= authors.size();) {
    const auto end = std::min(authors.find(kAnd, begin), authors.size());
    std::string name = authors.substr(begin, end - begin);
    begin = end + kAnd.size();
    const bool others = name == "others";
    if (const auto comma = name.find(','); comma != std::string::npos)
      name.resize(comma);
    else if (const auto space = name.rfind(' '); space != std::string::npos)
      name.erase(0, space + 1);
    if (name.empty()) continue;
    if (others || ++count > kMaxAuthors) return out + " et al.";
    out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

Paper paper_of(const std::string& key, const std::map<std::string, std::string>& fields) {
  const auto field = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : without_tex(found->second);
  };
  Paper p;
  p.id = key;
  p.title = field("title");
  p.authors = surnames(field("author"));
  for (const char* name : {"journal", "booktitle", "publisher", "howpublished"})
    if (p.venue.empty()) p.venue = field(name);
  for (const char* name : {"eprint", "url", "journal", "volume", "doi", "note"})
    if (p.arxiv.empty()) p.arxiv = arxiv_id(field(name));
  const std::string year = field("year").empty() ? field("date") : field("year");
  if (year.size() >= 4 &&
      std::all_of(year.begin(), year.begin() + 4, [](char c) { return c >= '0' && c <= '9'; }))
    p.year = std::stoi(year.substr(0, 4));
  for (const char* name : {"abstract", "keywords", "annote", "note"})
    if (const std::string text = field(name); !text.empty()) p.text += (p.text.empty() ? "" : "\n") + text;
  return p;
}

}  // namespace

FilePapers read_bibtex(std::string_view text, const std::string& file_name) {
  FilePapers out;
  Scanner s(text);
  while (s.next_entry()) {
    const std::string kind = lower(s.word());
    if (kind.empty()) continue;
    try {
      if (kind == "comment" || kind == "string" || kind == "preamble") {
        (void)s.value();  // Skips the content, including entries inside it.
        continue;
      }
      if (!s.take('{')) s.expect('(');
      const std::string key = s.word();
      std::map<std::string, std::string> fields;
      while (s.take(',')) {
        const std::string field = lower(s.word());
        if (field.empty()) break;
        s.expect('=');
        fields[field] = s.value();
      }
      if (!s.take('}')) s.expect(')');
      Paper p = paper_of(key, fields);
      if (key.empty() || p.title.empty())
        out.notes.push_back(fmt::format("{}:{}: skipped an entry without key or title", file_name, s.line()));
      else
        out.papers.push_back(std::move(p));
    } catch (const InvalidEntry&) {
      out.notes.push_back(fmt::format("{}:{}: skipped an invalid entry", file_name, s.line()));
    }
  }
  return out;
}

}  // namespace gabbro::library
