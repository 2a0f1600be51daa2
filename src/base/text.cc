#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "base/utf8.h"

namespace gabbro {

namespace {

struct Range {
  char32_t first, last;
};

// Invisible code points: categories Cc and Cf of Unicode 15, line separators, fillers, variation selectors,
// and noncharacters.
constexpr std::array kInvisible{
    Range{0x0, 0x1f},        Range{0x7f, 0x9f},        Range{0xad, 0xad},       Range{0x34f, 0x34f},
    Range{0x600, 0x605},     Range{0x61c, 0x61c},      Range{0x6dd, 0x6dd},     Range{0x70f, 0x70f},
    Range{0x890, 0x891},     Range{0x8e2, 0x8e2},      Range{0x115f, 0x1160},   Range{0x17b4, 0x17b5},
    Range{0x180b, 0x180f},   Range{0x200b, 0x200f},    Range{0x2028, 0x202e},   Range{0x2060, 0x206f},
    Range{0x3164, 0x3164},   Range{0xfdd0, 0xfdef},    Range{0xfe00, 0xfe0f},   Range{0xfeff, 0xfeff},
    Range{0xffa0, 0xffa0},   Range{0xfff0, 0xfffb},    Range{0xfffe, 0xffff},   Range{0x110bd, 0x110bd},
    Range{0x110cd, 0x110cd}, Range{0x13430, 0x1343f},  Range{0x1bca0, 0x1bca3}, Range{0x1d173, 0x1d17a},
    Range{0xe0000, 0xe0fff}, Range{0xf0000, 0x10ffff},
};

// Escapes invisible characters; line ends and tabs only if the result is to be on one line.
std::string escaped(std::string_view text, bool one_line) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto point = decode_utf8(text, at);
    if (!point) {
      out += "\ufffd";
      ++at;
      continue;
    }
    const auto c = static_cast<std::uint32_t>(point->value);
    const bool layout = c == '\n' || c == '\t';
    if (!is_invisible(point->value) || (layout && !one_line))
      out.append(text.substr(at, point->bytes));
    else if (c < 0x10000)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    else  // a UTF-16 surrogate pair
      fmt::format_to(std::back_inserter(out), "\\u{:04x}\\u{:04x}", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
    at += point->bytes;
  }
  return out;
}

// Returns the UTF-16 code unit of an escape \uXXXX at `offset`; -1 if there is none.
int escaped_unit(std::string_view text, std::size_t offset) {
  constexpr std::size_t kLength = 6;
  if (offset + kLength > text.size() || text[offset] != '\\' || text[offset + 1] != 'u') return -1;
  int unit = 0;
  const char* const end = text.data() + offset + kLength;
  return std::from_chars(text.data() + offset + 2, end, unit, 16).ptr == end ? unit : -1;
}

bool is_high_surrogate(int unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low_surrogate(int unit) { return unit >= 0xdc00 && unit < 0xe000; }

// Appends the escape of a JSON string at `offset`, with halves of surrogate pairs replaced. Returns its
// length.
std::size_t append_escape(std::string& out, std::string_view text, std::size_t offset) {
  constexpr std::size_t kLength = 6;
  const int unit = escaped_unit(text, offset);
  const bool is_pair = is_high_surrogate(unit) && is_low_surrogate(escaped_unit(text, offset + kLength));
  if (!is_pair && (is_high_surrogate(unit) || is_low_surrogate(unit))) {
    out += "\\ufffd";
    return kLength;
  }
  const bool is_ascii = offset + 1 < text.size() && static_cast<unsigned char>(text[offset + 1]) < 0x80;
  const std::size_t length = is_pair ? 2 * kLength : is_ascii ? 2 : 1;
  out += text.substr(offset, length);
  return length;
}

}  // namespace

bool is_invisible(char32_t c) {
  const auto at =
      std::find_if(kInvisible.begin(), kInvisible.end(), [&](const Range& r) { return c <= r.last; });
  return at != kInvisible.end() && c >= at->first;
}

bool is_white(char32_t c) {
  return c == ' ' || (c >= 0x9 && c <= 0xd) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

std::string printable(std::string_view text) { return escaped(text, /*one_line=*/false); }

std::string printable_line(std::string_view text) { return escaped(text, /*one_line=*/true); }

int nesting_depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

std::string mended_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool quoted = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (quoted && c == '\\') {
      at += append_escape(out, text, at);
      continue;
    }
    const auto point = decode_utf8(text, at);
    if (!point)
      out += "\ufffd";
    else if (quoted && point->value < 0x20)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(point->value));
    else
      out.append(text.substr(at, point->bytes));
    if (c == '"') quoted = !quoted;
    at += point ? point->bytes : 1;
  }
  return out;
}

}  // namespace gabbro
