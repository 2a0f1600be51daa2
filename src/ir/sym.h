// Symbolic numbers: sizes, counts and costs as polynomials in the width, the vocabulary size and the context
// length.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gabbro::ir {

/// The quantities that a design leaves open: `kWidth` is D, `kVocab` is V, `kContext` is T (the number of
/// tokens seen so far). `kCall` marks an opaque factor, which only Sym::call makes.
enum class Atom : std::uint8_t { kWidth, kVocab, kContext, kCall };

/// Values of the atoms, in the order of the enum.
struct SymEnv {
  double width = 256;
  double vocab = 4096;
  double context = 2048;
};

/// Returns `x` rounded down to an integer, as sizes are. A value that rounding errors of decimal factors
/// leave just below an integer counts as that integer (100 * 0.29 is 29).
double floor_of(double x);

/// A sum of terms c * D^a * V^b * ..., with real exponents, in one canonical order, so that equal polynomials
/// compare equal. An expression that is not a polynomial (floor, max, a power of a sum, log ...) is an opaque
/// atom that holds its arguments. Operations cost O(terms).
class Sym {
 public:
  enum class Fn : std::uint8_t { kFloor, kMax, kMin, kPow, kExp, kLog };

  Sym() = default;
  Sym(double constant);  // NOLINT: implicit, so that numbers convert to symbolic numbers
  static Sym atom(Atom atom);
  /// Returns `fn` of `a`, or of `a` and `b` for kMax, kMin and kPow. The other functions ignore `b`.
  static Sym call(Fn fn, const Sym& a, const Sym& b = {});

  [[nodiscard]] bool is_constant() const;
  /// Returns the value if constant, NaN otherwise.
  [[nodiscard]] double constant() const;
  [[nodiscard]] double eval(const SymEnv& env) const;
  [[nodiscard]] bool depends_on(Atom atom) const;
  /// Returns a formula for people, with rounded coefficients.
  [[nodiscard]] std::string to_string() const;
  /// Returns a text for hashing. Two texts are equal exactly if the polynomials are.
  [[nodiscard]] std::string key() const;

  friend Sym operator+(const Sym& a, const Sym& b);
  friend Sym operator-(const Sym& a, const Sym& b);
  friend Sym operator*(const Sym& a, const Sym& b);
  friend Sym operator/(const Sym& a, const Sym& b);
  friend Sym pow(const Sym& base, const Sym& exponent);
  Sym& operator+=(const Sym& other);
  friend bool operator==(const Sym& a, const Sym& b);

 private:
  struct Call;  // a function and its arguments
  struct Factor {
    Atom atom;
    double exponent;
    std::shared_ptr<const Call> call;  // set exactly if `atom` is kCall
  };
  struct Term {
    double coefficient;
    std::vector<Factor> factors;
  };
  static int compare(const Factor& a, const Factor& b);
  static int compare(const std::vector<Factor>& a, const std::vector<Factor>& b);
  static int compare(const Sym& a, const Sym& b);
  static Term multiply(const Term& a, const Term& b);
  void add_term(Term term);
  // Writes the formula for hashing if `exact`, for people otherwise.
  std::string write(bool exact) const;

  std::vector<Term> terms_;  // sorted by factors, no zero coefficients; empty means 0
};

}  // namespace gabbro::ir
