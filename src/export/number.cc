#include "export/number.h"

#include <fmt/core.h>

#include <cmath>

#include "ir/sym.h"

namespace gabbro::pytorch {

namespace {

constexpr double kLargestInt = 1e15;                // below it, fmt prints whole numbers without an exponent
constexpr double kLargestExact = 9007199254740992;  // 2^53: larger ints of Python are not rounded as doubles

bool is_whole(double value) { return value == std::floor(value) && std::abs(value) < kLargestInt; }

// Returns a % b as Python computes it.
double python_remainder(double a, double b) {
  const double rest = std::fmod(a, b);
  return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
}

// Returns a // b as Python computes it for floats.
double python_floor_divide(double a, double b) {
  const double rest = python_remainder(a, b);
  const double quotient = (a - rest) / b;
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return whole;
}

// Returns a op b as Gab computes it.
double fold(std::string_view op, double a, double b) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "/") return a / b;
  if (op == "//") return ir::floor_of(a / b);
  if (op == "%") return a - b * ir::floor_of(a / b);
  if (op == "**") return std::pow(a, b);
  if (op == "<") return a < b ? 1 : 0;
  if (op == ">") return a > b ? 1 : 0;
  if (op == "<=") return a <= b ? 1 : 0;
  if (op == ">=") return a >= b ? 1 : 0;
  return a == b ? 1 : 0;
}

Code literal_code(double value) {
  if (std::isinf(value))
    return {value > 0 ? "torch.inf" : "-torch.inf", value > 0 ? kAtom : kNegation, false, ""};
  return {fmt::format("{}", value), std::signbit(value) ? kNegation : kAtom, is_whole(value), ""};
}

// Returns the code of `a op b`, whose value is `value`; a literal where Python computes another value.
Code combine(std::string_view op, double value, double x, const Code& a, double y, const Code& b) {
  const bool ints = a.is_int && b.is_int;
  Code out{"", kProduct, ints, ""};
  int left = kProduct, right = kNegation;
  if (std::abs(value) > kLargestExact) return literal_code(value);
  if (op == "+" || op == "-") {
    out.rank = left = kSum;
    right = op == "+" ? kSum : kProduct;
  } else if (op == "**") {
    out.rank = kPower;
    left = kAtom;
    right = kNegation;
    out.is_int = ints && y >= 0;
  } else if (op == "/") {
    out.is_int = false;
  } else if (op == "%" && (!ints || python_remainder(x, y) != value)) {
    return literal_code(value);
  } else if (op == "//" && (ints ? (x - python_remainder(x, y)) / y : python_floor_divide(x, y)) != value) {
    return literal_code(value);
  }
  const std::string p = bracketed(a.text, a.rank, left), q = bracketed(b.text, b.rank, right);
  out.text = fmt::format("{} {} {}", p, op, q);
  if (op == "/" && ints && is_whole(value)) out.quotient = fmt::format("{} // {}", p, q);
  return out;
}

Code negated(const Code& a) {
  if (a.text[0] == '-') return {"-" + bracketed(a.text, kSum, kNegation), kNegation, a.is_int, ""};
  return {"-" + bracketed(a.text, a.rank, kNegation), kNegation, a.is_int, ""};
}

}  // namespace

std::string bracketed(const std::string& text, int rank, int least) {
  return rank < least ? "(" + text + ")" : text;
}

Number literal(double value) { return {value, literal_code(value), literal_code(value)}; }

Number named(double value, std::string name) {
  const Code code{std::move(name), kAtom, is_whole(value), ""};
  return {value, code, code};
}

std::string size_name(std::string_view name) { return fmt::format("\x01{}\x02", name); }

std::string resolve_names(std::string_view text, bool self) {
  std::string out;
  for (const char c : text) {
    if (c == '\x02') continue;
    if (c == '\x01')
      out += self ? "self." : "";
    else
      out += c;
  }
  return out;
}

Number combine(std::string_view op, const Number& a, const Number& b) {
  const double value = fold(op, a.value, b.value);
  const bool arithmetic =
      op == "+" || op == "-" || op == "*" || op == "/" || op == "//" || op == "%" || op == "**";
  if (!arithmetic || !std::isfinite(value)) return literal(value);
  return {value, combine(op, value, a.value, a.code, b.value, b.code),
          combine(op, value, a.value, a.owner, b.value, b.owner)};
}

Number negated(const Number& a) {
  const bool is_literal = a.code.text.find_first_not_of("0123456789.e-+") == std::string::npos;
  return is_literal ? literal(-a.value) : Number{-a.value, negated(a.code), negated(a.owner)};
}

std::string window_text(const Number& window) {
  return std::isinf(window.value) ? "" : ", " + int_text(window.value, window.code);
}

std::string int_text(double value, const Code& code, int least) {
  if (code.is_int) return bracketed(code.text, code.rank, least);
  if (!code.quotient.empty()) return bracketed(code.quotient, kProduct, least);
  if (code.text.find_first_not_of("0123456789.e+") == std::string::npos) return fmt::format("{:.0f}", value);
  return fmt::format("int({})", code.text);
}

}  // namespace gabbro::pytorch
