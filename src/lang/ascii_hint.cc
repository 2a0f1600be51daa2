#include "lang/ascii_hint.h"

#include <array>
#include <string_view>

namespace gabbro::lang {
namespace {

struct Replacement {
  char32_t character;
  std::string_view hint;
};

constexpr std::array kReplacements{
    Replacement{U'\u00d7', "write *"},
    Replacement{U'\u00b7', "write *"},
    Replacement{U'\u22c5', "write *"},
    Replacement{U'\u2217', "write *"},
    Replacement{U'\u2299', "write *"},
    Replacement{U'\u00f7', "write /"},
    Replacement{U'\u2215', "write /"},
    Replacement{U'\u2010', "write -"},
    Replacement{U'\u2011', "write -"},
    Replacement{U'\u2012', "write -"},
    Replacement{U'\u2013', "write -"},
    Replacement{U'\u2014', "write -"},
    Replacement{U'\u2212', "write -"},
    Replacement{U'\u2192', "write ->"},
    Replacement{U'\u2190', "write ="},
    Replacement{U'\u2264', "write <="},
    Replacement{U'\u2265', "write >="},
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
    Replacement{U'\u00a0', "write an ordinary space"},
    Replacement{U'\u2009', "write an ordinary space"},
    Replacement{U'\u202f', "write an ordinary space"},
    Replacement{U'\u3000', "write an ordinary space"},
    Replacement{U'\u200b', "delete this invisible character"},
    Replacement{U'\ufeff', "delete this invisible character"},
};

constexpr char32_t kAlpha = U'\u03b1';
constexpr std::array<std::string_view, 25> kGreek{
    "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
    "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "sigma",
    "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};

}  // namespace

std::string ascii_hint(char32_t character) {
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
