// Generates broken and half-broken programs: random edits of bytes, tokens and lines of valid programs, and
// random sequences of tokens.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace gabbro::lang::testing {

inline constexpr std::array<std::string_view, 72> kPieces{
    "fn",   "interface", "unit",  "design", "axis",  "share", "scan",      "for",       "in",
    "with", "return",    "if",    "else",   "true",  "int",   "real",      "bool",      "free",
    "t",    "D",         "all",   "x",      "heads", "self",  "not",       "and",       "1",
    "0.5",  "1e-5",      "1e999", "..",     "...",   "->",    "**",        "//",        "==",
    "!=",   "<=",        "+=",    "+",      "-",     "*",     "/",         "%",         "<",
    "=",    "(",         ")",     "[",      "]",     "{",     "}",         ",",         ":",
    ".",    ";",         "@",     "#",      "'",     "\"",    "\n",        "\n    ",    "\n  ",
    "\t",   "\r\n",      "é",     "\xff",   "width", "f(x)",  "x: [t, D]", "stack = A", "\\"};

/// Returns the lines of `text`, each with its newline.
inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size() - 1) + 1;
    out.emplace_back(text.substr(from, end - from));
    from = end;
  }
  return out;
}

/// Returns a random number from 0 to `most`.
inline std::size_t at_most(Random& random, std::size_t most) {
  return static_cast<std::size_t>(random.below(static_cast<std::int64_t>(most) + 1));
}

inline std::string mutate_bytes(Random& random, std::string text) {
  const std::size_t at = at_most(random, text.size());
  const auto byte = static_cast<char>(random.below(256));
  if (at == text.size() || random.chance(0.3)) return text.insert(at, 1, byte);
  if (random.chance(0.5)) return text.erase(at, 1);
  text[at] = byte;
  return text;
}

inline std::string mutate_pieces(Random& random, std::string text) {
  const std::size_t at = at_most(random, text.size());
  const std::size_t length = random.chance(0.5) ? 0 : at_most(random, 6);
  return text.replace(at, length, random.chance(0.2) ? "" : random.pick(kPieces));
}

inline std::string mutate_lines(Random& random, const std::string& text) {
  std::vector<std::string> lines = lines_of(text);
  if (lines.empty()) return "x\n";
  const std::string line = random.pick(lines);
  const std::size_t at = at_most(random, lines.size() - 1);
  const auto where = lines.begin() + static_cast<std::ptrdiff_t>(at);
  switch (random.below(5)) {
    case 0:
      lines.erase(where);
      break;
    case 1:
      lines.insert(where, line);
      break;
    case 2:
      *where = line;
      break;
    case 3:
      *where = std::string(at_most(random, 8), ' ') + *where;
      break;
    default:
      where->erase(0, std::min<std::size_t>(where->size(), 4));
  }
  std::string out;
  for (const auto& each : lines) out += each;
  return out;
}

/// Returns `text` after up to six random edits.
inline std::string mutate(Random& random, std::string text) {
  for (std::int64_t edits = 1 + random.below(6); edits > 0; --edits) {
    switch (random.below(3)) {
      case 0:
        text = mutate_bytes(random, std::move(text));
        break;
      case 1:
        text = mutate_pieces(random, std::move(text));
        break;
      default:
        text = mutate_lines(random, text);
    }
  }
  return text;
}

/// Returns up to 60 random tokens.
inline std::string soup(Random& random) {
  std::string out;
  for (std::int64_t count = random.below(60); count > 0; --count) {
    out += random.pick(kPieces);
    if (random.chance(0.7)) out += ' ';
  }
  return out;
}

}  // namespace gabbro::lang::testing
