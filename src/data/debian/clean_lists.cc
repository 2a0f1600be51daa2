// Formats that are lists of short texts (fortunes, WordNet), and plain text.
#include <algorithm>
#include <charconv>

#include "data/debian/clean.h"
#include "data/debian/document_joiner.h"
#include "data/debian/unpack.h"

namespace gabbro::data::debian {

namespace {

// Calls `visit` with each line of `text`, without its newline.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    visit(text.substr(from, end - from));
    from = end + 1;
  }
}

// Removes the first word of `rest` and returns it.
std::string_view next_word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

// Converts a line of WordNet, which holds a set of synonyms (synset) and its gloss. For example,
// "00908483 00 a 02 euphemistic 0 inoffensive 5 ... | gloss" gives "euphemistic, inoffensive: gloss". Other
// lines, such as those of the licence, give "".
std::string synset_text(std::string_view line) {
  const std::size_t bar = line.find(" | ");
  if (line.starts_with("  ") || bar == std::string_view::npos) return {};
  std::string_view gloss = line.substr(bar + 3), rest = line.substr(0, bar);
  while (gloss.starts_with(' ')) gloss.remove_prefix(1);
  while (gloss.ends_with(' ')) gloss.remove_suffix(1);
  for (int i = 0; i < 3; ++i) next_word(rest);  // Skips offset, file and part of speech.
  int count = 0;                                // number of synonyms, written in hexadecimal
  const std::string_view hex = next_word(rest);
  std::from_chars(hex.data(), hex.data() + hex.size(), count, 16);
  std::string out;
  for (int i = 0; i < count; ++i) {
    std::string name(next_word(rest));
    next_word(rest);  // Skips the sense number.
    if (const std::size_t marker = name.find('('); marker != std::string::npos)
      name.resize(marker);  // Removes (p), (a) or (ip), the positions that an adjective may have.
    std::replace(name.begin(), name.end(), '_', ' ');
    out += (out.empty() ? "" : ", ") + name;
  }
  return out + ": " + std::string(gloss) + "\n";
}

// Returns a line as it looks on a terminal, with a newline: applies overstrikes ("_\bx"), expands tabs, and
// removes control characters and spaces at the end.
std::string plain_line(std::string_view line) {
  constexpr std::size_t kTab = 8;
  std::string out;
  for (const char c : line) {
    if (c == '\b') {
      if (!out.empty()) out.pop_back();
    } else if (c == '\t') {
      out.append(kTab - out.size() % kTab, ' ');
    } else if (static_cast<unsigned char>(c) >= ' ') {
      out += c;
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out + "\n";
}

// Returns true if a line is empty or a horizontal rule.
bool is_separator(std::string_view line) {
  return line.find_first_not_of(" _-=\n") == std::string_view::npos;
}

}  // namespace

Result<bool> clean_wordnet(const Files& files, const Emit& emit) {
  for (const auto& [path, text] : files) {
    DocumentJoiner documents(emit, kEntriesBytes);
    for_each_line(text, [&](std::string_view line) { documents.add(synset_text(line)); });
    documents.finish();
  }
  return true;
}

Result<bool> clean_fortunes(const Files& files, const Emit& emit) {
  for (const auto& [path, text] : files) {
    DocumentJoiner documents(emit, kFortunesBytes);
    std::string fortune;
    for_each_line(text, [&](std::string_view line) {
      if (line == "%") {
        documents.add(fortune);
        fortune.clear();
      } else if (!fortune.empty() || !line.empty()) {
        fortune += plain_line(line);
      }
    });
    documents.add(fortune);
    documents.finish();
  }
  return true;
}

Result<bool> clean_text(const Files& files, const Emit& emit) {
  for (const auto& [path, content] : files) {
    GABBRO_TRY(text, decompressed(content, path));
    std::string out;
    for_each_line(text, [&](std::string_view raw) {
      const std::string line = plain_line(raw);
      if (!is_separator(line))
        out += line;
      else if (!out.ends_with("\n\n"))
        out += '\n';
    });
    if (!out.empty()) emit(std::move(out));
  }
  return true;
}

}  // namespace gabbro::data::debian
