// Dictionaries of dictd. A line of the index is "headword TAB offset TAB length", with the numbers in base
// 64.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "data/debian/clean.h"
#include "data/debian/document_joiner.h"
#include "data/debian/unpack.h"

namespace gabbro::data::debian {

namespace {

using TextSpan = std::pair<std::uint64_t, std::uint64_t>;  // offset and length

// Parses a number in base 64. A character that is no digit counts as 63.
std::uint64_t base64(std::string_view digits) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::uint64_t out = 0;
  for (const char c : digits) out = out * 64 + std::min<std::uint64_t>(kDigits.find(c), 63);
  return out;
}

// Returns the spans of the entries, each once, in the order of the dictionary. Entries about the dictionary
// itself are left out.
std::vector<TextSpan> entry_spans(std::string_view index) {
  std::vector<TextSpan> out, about_dictionary;
  for (std::size_t from = 0; from < index.size();) {
    const std::size_t end = std::min(index.find('\n', from), index.size());
    const std::string_view line = index.substr(from, end - from);
    from = end + 1;
    const std::size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (second == std::string_view::npos) continue;
    const TextSpan span{base64(line.substr(first + 1, second - first - 1)), base64(line.substr(second + 1))};
    (line.starts_with("00-database") || line.starts_with("00database") ? about_dictionary : out)
        .push_back(span);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  std::erase_if(out, [&](const TextSpan& span) {
    return std::find(about_dictionary.begin(), about_dictionary.end(), span) != about_dictionary.end();
  });
  return out;
}

// GCIDE's notation for letters beyond ASCII.
constexpr std::array<std::pair<std::string_view, std::string_view>, 30> kLetters{{
    {"['a]", "á"},  {"['e]", "é"},  {"['i]", "í"},  {"['o]", "ó"},  {"['u]", "ú"},  {"['E]", "É"},
    {"[`a]", "à"},  {"[`e]", "è"},  {"[`u]", "ù"},  {"[`o]", "ò"},  {"[`i]", "ì"},  {"[^a]", "â"},
    {"[^e]", "ê"},  {"[^i]", "î"},  {"[^o]", "ô"},  {"[^u]", "û"},  {"[\"a]", "ä"}, {"[\"e]", "ë"},
    {"[\"i]", "ï"}, {"[\"o]", "ö"}, {"[\"u]", "ü"}, {"[\"O]", "Ö"}, {"[\"U]", "Ü"}, {"[~n]", "ñ"},
    {"[,c]", "ç"},  {"[ae]", "æ"},  {"[AE]", "Æ"},  {"[oe]", "œ"},  {"[OE]", "Œ"},  {"[deg]", "°"},
}};

// Replaces GCIDE's notation by the letters.
std::string with_letters(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto* letter = std::find_if(kLetters.begin(), kLetters.end(),
                                      [&](const auto& l) { return text.substr(i).starts_with(l.first); });
    if (text[i] == '[' && letter != kLetters.end()) {
      out += letter->second;
      i += letter->first.size();
    } else {
      out += text[i++];
    }
  }
  return out;
}

// Removes brackets with their content (etymologies, sources, sounds), and \pronunciation\ with the
// parenthesis after it.
std::string without_apparatus(std::string_view text) {
  std::string out;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '[') {
      ++depth;
    } else if (c == ']' && depth > 0) {
      --depth;
    } else if (depth == 0 && c == '\\') {
      const std::size_t end = text.find('\\', i + 1);
      if (end == std::string_view::npos) continue;
      i = end;
      const std::size_t open = text.find_first_not_of(" \n", i + 1);
      if (open != std::string_view::npos && text[open] == '(')
        if (const std::size_t close = text.find(')', open); close != std::string_view::npos) i = close;
    } else if (depth == 0) {
      out += c;
    }
  }
  return out;
}

// Returns true for a paragraph of dates, sources or line drawings, as in FOLDOC and the Jargon File.
bool is_apparatus(std::string_view text) {
  if (text.find("─") != std::string_view::npos) return true;
  return text == "[Details?]" || text == "[Jargon File]" ||
         (text.size() == 12 && text.starts_with("(") && text.ends_with(")") && text[5] == '-' &&
          text[8] == '-');
}

// Removes the subject that FOLDOC puts first, as in "<networking> A ..." and "1. <data> ...".
std::string without_subject(std::string text) {
  std::size_t at = text.size() > 3 && text.substr(1, 2) == ". " ? 3 : 0;
  if (text.size() <= at || text[at] != '<') return text;
  const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz, -/", at + 1);
  if (end != std::string::npos && text[end] == '>') text.erase(at, std::min(end + 2, text.size()) - at);
  return text;
}

// Replaces runs of blanks by one space, and removes blanks before punctuation and the braces of links.
std::string joined(std::string_view paragraph) {
  std::string out;
  bool blank = false;
  for (const char c : paragraph) {
    if (c == '{' || c == '}') continue;
    if (c == ' ' || c == '\n' || c == '\t') {
      blank = !out.empty();
      continue;
    }
    if (blank && c != ',' && c != '.' && c != ';') out += ' ';
    blank = false;
    out += c;
  }
  return out;
}

bool is_from_wordnet(std::string_view paragraph) {
  const std::size_t mark = paragraph.find("[WordNet");
  return mark != std::string_view::npos;
}

Result<bool> clean(const Files& files, const Emit& emit, bool is_webster) {
  constexpr std::string_view kIndex = ".index";
  for (const auto& [path, index] : files) {
    if (!path.ends_with(kIndex)) continue;
    const std::string body = path.substr(0, path.size() - kIndex.size()) + ".dict.dz";
    const auto packed = files.find(body);
    if (packed == files.end()) return fail("format", fmt::format("{} is missing next to {}", body, path));
    GABBRO_TRY(text, decompressed(packed->second, body));
    DocumentJoiner documents(emit, kEntriesBytes);
    for (const auto& [offset, length] : entry_spans(index)) {
      if (offset > text.size() || length > text.size() - offset)
        return fail("format",
                    fmt::format("{}: invalid entry at byte {} of {}", body, offset + length, text.size()));
      documents.add(clean_entry(std::string_view(text).substr(offset, length), is_webster));
    }
    documents.finish();
  }
  return true;
}

}  // namespace

std::string clean_entry(std::string_view entry, bool is_webster) {
  std::string out;
  for (std::size_t from = 0; from < entry.size();) {
    const std::size_t gap = entry.find("\n\n", from),
                      end = gap == std::string_view::npos ? entry.size() : gap;
    const std::string_view paragraph = entry.substr(from, end - from);
    from = end + 2;
    if (is_webster && is_from_wordnet(paragraph)) continue;
    if (is_webster) {
      out += joined(without_apparatus(with_letters(paragraph)));
    } else {
      const std::string text = joined(paragraph);
      if (is_apparatus(text)) continue;
      out += without_subject(text);
    }
    if (!out.empty() && out.back() != '\n') out += '\n';
  }
  return out;
}

Result<bool> clean_dictionary(const Files& files, const Emit& emit) {
  return clean(files, emit, /*is_webster=*/false);
}
Result<bool> clean_webster(const Files& files, const Emit& emit) {
  return clean(files, emit, /*is_webster=*/true);
}

}  // namespace gabbro::data::debian
