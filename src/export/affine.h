// The recurrence of one state of a scan, derived from the operations that compute the state after a step.
//
// The known forms: S' is a sum of a multiple of S, of products that do not depend on S, and of at most one
// p (f . S + rest); or S' = max(S + a, b). A step may consist of several steps of the first form, one after
// the other, as several terms p (f . S + rest) in ir/affine_match.h are.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "export/writer.h"

namespace gabbro::pytorch {

/// A value with a sign: a factor of a product, or a summand.
struct Term {
  Tensor value;
  bool negative = false;
};

/// p (f . S + rest), where S is the state before the decay of the step, or after it.
struct Write {
  std::vector<Term> key;                // the factors of p
  std::vector<Term> row;                // the factors of f
  bool decayed = false;                 // f reads the state after the decay
  std::vector<std::vector<Term>> rest;  // a sum of products
};

/// S' = decay S + write + added.
struct AffineStep {
  std::vector<Term> decay;  // factors; empty: 1
  std::optional<Write> write;
  std::vector<Term> added;  // summands
};

/// The recurrence of a state: steps, one after the other, or a maximum.
struct StateForm {
  std::vector<AffineStep> steps;
  // S' = max(S + added, bound), with `added` from the only step; without steps, it is 0.
  bool is_maximum = false;
  Tensor bound;
  std::vector<int> contracted;  // the axes (Writer::axes_) that every contraction sums over; empty: none is
};

/// Returns true if a value depends on the state.
using DependsOnState = std::function<bool(const Tensor&)>;

/// Returns how the state `next` after a step follows from the state before it, whose name is `symbol`;
/// nothing if that is none of the known forms.
std::optional<StateForm> state_form(Writer& w, const Tensor& next, const std::string& symbol,
                                    const DependsOnState& depends);

/// Returns true if the operations that made a value show that it is not 0, or that it is 0 only where a
/// positive number underflows.
bool is_away_from_zero(const Writer& w, const Tensor& x);

/// Returns the product of the factors; 1 if there are none.
Tensor product_of(Writer& w, const std::vector<Term>& factors);

/// Returns the logarithm of a product. Returns nothing if its operations do not show that it is positive, or
/// if all factors are 1. Factors whose logarithm has no form of its own are clamped to at least 1e-30.
/// `is_named` returns true for the text of a value that is computed in any case: its logarithm is then taken
/// of the value, not derived from its parts.
std::optional<Tensor> log_of(Writer& w, const std::vector<Term>& factors,
                             const std::function<bool(const std::string&)>& is_named);

}  // namespace gabbro::pytorch
