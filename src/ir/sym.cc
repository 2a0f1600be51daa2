#include "ir/sym.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gabbro::ir {

struct Sym::Call {
  Fn fn;
  Sym a, b;
};

namespace {

double apply(Sym::Fn fn, double a, double b) {
  switch (fn) {
    case Sym::Fn::kFloor:
      return floor_of(a);
    case Sym::Fn::kMax:
      return std::max(a, b);
    case Sym::Fn::kMin:
      return std::min(a, b);
    case Sym::Fn::kPow:
      return std::pow(a, b);
    case Sym::Fn::kExp:
      return std::exp(a);
    case Sym::Fn::kLog:
      return std::log(a);
  }
  return 0;
}

constexpr const char* kFnNames[] = {"floor", "max", "min", "pow", "exp", "log"};
constexpr const char* kAtomNames[] = {"D", "V", "T"};

constexpr bool is_binary(Sym::Fn fn) {
  return fn == Sym::Fn::kMax || fn == Sym::Fn::kMin || fn == Sym::Fn::kPow;
}

int order(double a, double b) { return a < b ? -1 : a > b ? 1 : 0; }

}  // namespace

double floor_of(double x) {
  constexpr double kRounding = 1e-12;  // relative rounding error of a few products or quotients
  const double next = std::ceil(x);
  return next - x <= kRounding * std::abs(next) ? next : std::floor(x);
}

Sym::Sym(double constant) {
  if (constant != 0) terms_.push_back({constant, {}});
}

Sym Sym::atom(Atom atom) {
  Sym s;
  s.terms_.push_back({1, {{atom, 1, nullptr}}});
  return s;
}

Sym Sym::call(Fn fn, const Sym& a, const Sym& b) {
  if (a.is_constant() && b.is_constant()) return apply(fn, a.constant(), b.constant());
  Sym s;
  s.terms_.push_back({1, {{Atom::kCall, 1, std::make_shared<const Call>(Call{fn, a, b})}}});
  return s;
}

bool Sym::is_constant() const { return terms_.empty() || (terms_.size() == 1 && terms_[0].factors.empty()); }

double Sym::constant() const {
  if (terms_.empty()) return 0;
  return is_constant() ? terms_[0].coefficient : std::numeric_limits<double>::quiet_NaN();
}

double Sym::eval(const SymEnv& env) const {
  const double atoms[] = {env.width, env.vocab, env.context};
  double sum = 0;
  for (const Term& term : terms_) {
    double product = term.coefficient;
    for (const Factor& f : term.factors) {
      const double value = f.call ? apply(f.call->fn, f.call->a.eval(env), f.call->b.eval(env))
                                  : atoms[static_cast<int>(f.atom)];
      product *= f.exponent == 1 ? value : std::pow(value, f.exponent);
    }
    sum += product;
  }
  return sum;
}

bool Sym::depends_on(Atom atom) const {
  for (const Term& term : terms_)
    for (const Factor& f : term.factors)
      if (f.call ? f.call->a.depends_on(atom) || f.call->b.depends_on(atom) : f.atom == atom) return true;
  return false;
}

int Sym::compare(const Factor& a, const Factor& b) {
  if (a.atom != b.atom) return a.atom < b.atom ? -1 : 1;
  if (a.call && a.call != b.call) {
    if (a.call->fn != b.call->fn) return a.call->fn < b.call->fn ? -1 : 1;
    if (const int c = compare(a.call->a, b.call->a)) return c;
    if (const int c = compare(a.call->b, b.call->b)) return c;
  }
  return 0;
}

int Sym::compare(const std::vector<Factor>& a, const std::vector<Factor>& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (const int c = compare(a[i], b[i])) return c;
    if (const int c = order(b[i].exponent, a[i].exponent)) return c;  // high powers come first
  }
  return order(static_cast<double>(b.size()), static_cast<double>(a.size()));
}

int Sym::compare(const Sym& a, const Sym& b) {
  if (const int c = order(static_cast<double>(a.terms_.size()), static_cast<double>(b.terms_.size())))
    return c;
  for (std::size_t i = 0; i < a.terms_.size(); ++i) {
    if (const int c = compare(a.terms_[i].factors, b.terms_[i].factors)) return c;
    if (const int c = order(a.terms_[i].coefficient, b.terms_[i].coefficient)) return c;
  }
  return 0;
}

void Sym::add_term(Term term) {
  const auto at = std::lower_bound(terms_.begin(), terms_.end(), term, [](const Term& x, const Term& y) {
    return compare(x.factors, y.factors) < 0;
  });
  if (at == terms_.end() || compare(at->factors, term.factors) != 0) {
    if (term.coefficient != 0) terms_.insert(at, std::move(term));
    return;
  }
  at->coefficient += term.coefficient;
  if (at->coefficient == 0) terms_.erase(at);
}

Sym::Term Sym::multiply(const Term& a, const Term& b) {
  Term out{a.coefficient * b.coefficient, a.factors};
  for (const Factor& f : b.factors) {
    const auto at = std::find_if(out.factors.begin(), out.factors.end(),
                                 [&](const Factor& g) { return compare(f, g) <= 0; });
    if (at == out.factors.end() || compare(f, *at) != 0) {
      out.factors.insert(at, f);
    } else if ((at->exponent += f.exponent) == 0) {
      out.factors.erase(at);
    }
  }
  return out;
}

Sym operator+(const Sym& a, const Sym& b) {
  Sym out = a;
  return out += b;
}

Sym& Sym::operator+=(const Sym& other) {
  for (const Term& term : std::vector<Term>(other.terms_)) add_term(term);
  return *this;
}

Sym operator-(const Sym& a, const Sym& b) { return a + Sym(-1) * b; }

Sym operator*(const Sym& a, const Sym& b) {
  // Products of long sums are not multiplied out, because a program can write sizes whose product has
  // millions of terms. Only sizes and counts are multiplied, which are positive, so the logarithm exists.
  constexpr std::size_t kMostTerms = 1024;
  if (a.terms_.size() * b.terms_.size() > kMostTerms)
    return Sym::call(Sym::Fn::kExp, Sym::call(Sym::Fn::kLog, a) + Sym::call(Sym::Fn::kLog, b));
  Sym out;
  for (const auto& x : a.terms_)
    for (const auto& y : b.terms_) out.add_term(Sym::multiply(x, y));
  return out;
}

Sym operator/(const Sym& a, const Sym& b) {
  // Dividing, and not multiplying by the reciprocal, rounds the quotients of 8 / 3 and D / 3 only once.
  if (b.is_constant()) {
    Sym out = a;
    for (auto& term : out.terms_) term.coefficient /= b.constant();
    if (b.constant() == 0 && a.terms_.empty()) return std::numeric_limits<double>::quiet_NaN();
    return out;
  }
  return a * pow(b, -1);
}

Sym pow(const Sym& base, const Sym& exponent) {
  if (base.is_constant() && exponent.is_constant()) return std::pow(base.constant(), exponent.constant());
  if (!exponent.is_constant()) return Sym::call(Sym::Fn::kPow, base, exponent);
  const double e = exponent.constant();
  if (e == 0) return 1;
  if (base.terms_.size() == 1 && base.terms_[0].coefficient > 0) {
    Sym out = base;
    out.terms_[0].coefficient = std::pow(out.terms_[0].coefficient, e);
    for (auto& f : out.terms_[0].factors) f.exponent *= e;
    return out;
  }
  if (e == 2) return base * base;
  return Sym::call(Sym::Fn::kPow, base, exponent);
}

bool operator==(const Sym& a, const Sym& b) { return Sym::compare(a, b) == 0; }

std::string Sym::write(bool exact) const {
  if (terms_.empty()) return "0";
  std::string out;
  for (const Term& term : terms_) {
    std::string text;
    double c = term.coefficient;
    if (!out.empty() && !exact) {
      out += c < 0 ? " - " : " + ";
      c = std::abs(c);
    } else if (!out.empty()) {
      out += "+";
    }
    if (c == -1 && !term.factors.empty()) {
      out += "-";
    } else if (c != 1 || term.factors.empty()) {
      const bool whole = std::abs(c) < 1e15 && c == std::floor(c);
      text = exact ? fmt::format("{}", c) : whole ? fmt::format("{:.0f}", c) : fmt::format("{:.6g}", c);
    }
    for (const Factor& f : term.factors) {
      if (!text.empty()) text += exact ? "*" : "·";
      if (f.call) {
        text += kFnNames[static_cast<int>(f.call->fn)];
        text += "(" + f.call->a.write(exact);
        if (is_binary(f.call->fn)) text += ", " + f.call->b.write(exact);
        text += ")";
      } else {
        text += kAtomNames[static_cast<int>(f.atom)];
      }
      if (f.exponent == 1) continue;
      text += !exact && f.exponent == 2   ? "²"
              : !exact && f.exponent == 3 ? "³"
                                          : fmt::format("^{}", f.exponent);
    }
    out += text;
  }
  return out;
}

std::string Sym::to_string() const { return write(/*exact=*/false); }
std::string Sym::key() const { return write(/*exact=*/true); }

}  // namespace gabbro::ir
