#include "lang/ascii_hint.h"

#include <fmt/core.h>

#include <array>
#include <optional>
#include <string_view>

#include "base/utf8.h"

namespace gabbro::lang {
namespace {

// A sign that has one reading in ASCII.
struct Sign {
  char32_t character;
  std::string_view ascii;
};

constexpr std::array kSigns{
    Sign{U'\u00d7', "*"},  Sign{U'\u00b7', "*"},  Sign{U'\u22c5', "*"}, Sign{U'\u2217', "*"},
    Sign{U'\u2299', "*"},  Sign{U'\u00f7', "/"},  Sign{U'\u2215', "/"}, Sign{U'\u2010', "-"},
    Sign{U'\u2011', "-"},  Sign{U'\u2012', "-"},  Sign{U'\u2013', "-"}, Sign{U'\u2014', "-"},
    Sign{U'\u2212', "-"},  Sign{U'\u2192', "->"}, Sign{U'\u2190', "="}, Sign{U'\u2264', "<="},
    Sign{U'\u2265', ">="}, Sign{U'\u00a0', " "},  Sign{U'\u2009', " "}, Sign{U'\u202f', " "},
    Sign{U'\u3000', " "},  Sign{U'\u200b', ""},   Sign{U'\ufeff', ""},
};

struct Replacement {
  char32_t character;
  std::string_view hint;
};

constexpr std::array kReplacements{
    Replacement{U'\u2260', "there is no such operator; use == and swap the branches of `a if c else b`"},
    Replacement{U'\u2026', "write .. with spaces around it"},
    Replacement{U'\u00b2', "write ** 2"},
    Replacement{U'\u00b3', "write ** 3"},
    Replacement{U'\u221a', "write sqrt(...)"},
    Replacement{U'\u03a3', "write sum(..., over=axis)"},
    Replacement{U'\u2211', "write sum(..., over=axis)"},
    Replacement{U'\u221e', "write all for an unbounded range"},
    Replacement{U'\u2018', "there are no strings; names are written bare"},
    Replacement{U'\u2019', "there are no strings; names are written bare"},
    Replacement{U'\u201c', "there are no strings; names are written bare"},
    Replacement{U'\u201d', "there are no strings; names are written bare"},
};

constexpr char32_t kAlpha = U'\u03b1';
constexpr std::array<std::string_view, 25> kGreek{
    "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
    "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "sigma",
    "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};

std::optional<std::string_view> ascii_sign(char32_t character) {
  for (const Sign& sign : kSigns)
    if (sign.character == character) return sign.ascii;
  return std::nullopt;
}

}  // namespace

std::string with_ascii_signs(std::string_view program) {
  constexpr std::string_view kTab = "    ";
  std::string out;
  bool indents = true, comments = false;
  for (std::size_t i = 0; i < program.size();) {
    const char c = program[i];
    if (c == '\n') {
      indents = true;
      comments = false;
    }
    const auto point = decode_utf8(program, i);
    const std::size_t bytes = point ? point->bytes : 1;
    const auto sign = point && bytes > 1 && !comments ? ascii_sign(point->value) : std::nullopt;
    if (c == '#') comments = true;
    if (c == '\t' && indents)
      out += kTab;
    else if (sign)
      out += *sign;
    else
      out += program.substr(i, bytes);
    if (c != ' ' && c != '\t' && c != '\n') indents = false;
    i += bytes;
  }
  return out;
}

std::string ascii_hint(char32_t character) {
  if (const auto sign = ascii_sign(character)) {
    if (sign->empty()) return "delete this invisible character";
    return *sign == " " ? "write an ordinary space" : fmt::format("write {}", *sign);
  }
  for (const auto& row : kReplacements) {
    if (row.character == character) return std::string(row.hint);
  }
  if (character >= kAlpha && character < kAlpha + kGreek.size()) {
    return "names are ASCII: write " + std::string(kGreek[character - kAlpha]);
  }
  // Full-width forms of '!' to '~'.
  constexpr char32_t kFullWidth = 0xff01, kForms = '~' - '!' + 1;
  if (character >= kFullWidth && character < kFullWidth + kForms) {
    return std::string("write ") + static_cast<char>('!' + (character - kFullWidth));
  }
  return "names are made of ASCII letters, digits and _; other characters may stand in comments only";
}

}  // namespace gabbro::lang
