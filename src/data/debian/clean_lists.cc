// Formats that are lists of short texts (fortunes, WordNet), and plain text.
#include <utf8.h>

#include <algorithm>
#include <charconv>

#include "data/debian/clean.h"
#include "data/debian/group.h"
#include "data/debian/unpack.h"

namespace gabbro::data::debian {

namespace {

// Calls `take` with each line of `text`, without its end.
template <class Take>
void each_line(std::string_view text, Take take) {
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    take(text.substr(from, end - from));
    from = end + 1;
  }
}

std::string_view word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view out = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return out;
}

// Converts "00908483 00 a 02 euphemistic 0 inoffensive 5 ... | gloss" to "euphemistic, inoffensive: gloss".
std::string synset(std::string_view line) {
  const std::size_t bar = line.find(" | ");
  if (line.starts_with("  ") || bar == std::string_view::npos) return {};
  std::string_view gloss = line.substr(bar + 3), rest = line.substr(0, bar);
  while (gloss.starts_with(' ')) gloss.remove_prefix(1);
  while (gloss.ends_with(' ')) gloss.remove_suffix(1);
  for (int i = 0; i < 3; ++i) word(rest);  // Skips offset, file and part of speech.
  int count = 0;
  const std::string_view hex = word(rest);
  std::from_chars(hex.data(), hex.data() + hex.size(), count, 16);
  std::string out;
  for (int i = 0; i < count; ++i) {
    std::string name(word(rest));
    word(rest);  // Skips the sense number.
    if (const std::size_t mark = name.find('('); mark != std::string::npos)
      name.resize(mark);  // Removes (p), (a) or (ip).
    std::replace(name.begin(), name.end(), '_', ' ');
    out += (out.empty() ? "" : ", ") + name;
  }
  return out + ": " + std::string(gloss) + "\n";
}

// Removes overstrikes ("_\bx") and spaces at line ends.
std::string plain(std::string_view line) {
  std::string out;
  for (const char c : line) {
    if (c == '\b') {
      if (!out.empty()) out.pop_back();
    } else if (c == '\t') {
      out.append(8 - out.size() % 8, ' ');
    } else if (static_cast<unsigned char>(c) >= ' ') {
      out += c;
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out + "\n";
}

}  // namespace

Result<bool> clean_wordnet(const Files& files, const Emit& emit) {
  for (const auto& [path, text] : files) {
    Group group(emit, 8192);
    each_line(text, [&](std::string_view line) { group.add(synset(line)); });
    group.end();
  }
  return true;
}

Result<bool> clean_fortunes(const Files& files, const Emit& emit) {
  for (const auto& [path, text] : files) {
    Group group(emit, 4096);
    std::string fortune;
    each_line(text, [&](std::string_view line) {
      if (line == "%") {
        group.add(fortune);
        fortune.clear();
      } else if (!fortune.empty() || !line.empty()) {
        fortune += plain(line);
      }
    });
    group.add(fortune);
    group.end();
  }
  return true;
}

Result<bool> clean_text(const Files& files, const Emit& emit) {
  for (const auto& [path, packed] : files) {
    GABBRO_TRY(text, unpack(packed, path));
    std::string out;
    each_line(text, [&](std::string_view line) {
      const std::string kept = plain(line);
      if (kept.find_first_not_of(" _-=\n") != std::string::npos || !out.ends_with("\n\n"))
        out += kept.find_first_not_of(" _-=\n") == std::string::npos ? "\n" : kept;
    });
    if (!out.empty()) emit(std::move(out));
  }
  return true;
}

}  // namespace gabbro::data::debian
