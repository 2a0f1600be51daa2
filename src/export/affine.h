// The recurrence of one state of a scan, found in how the state after a step was made.
//
// The known forms are those of ir/affine_match.h, and a maximum: S' is a sum of a multiple of S, of products
// that do not depend on S, and of p (f . S + r); or S' = max(S + a, b). A step may consist of several steps
// of the first form, one after the other.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "export/writer.h"

namespace gabbro::pytorch {

/// A summand, with its sign.
struct Term {
  Tensor value;
  bool negative = false;
};

/// p (f . S + rest), where S is the state before the decay of the step, or after it.
struct Write {
  std::vector<Term> key;  // factors
  std::vector<Term> row;  // factors
  bool decayed = false;
  std::vector<std::vector<Term>> rest;  // a sum of products
};

/// S' = decay S + write + added.
struct AffineStep {
  std::vector<Term> decay;  // factors
  std::optional<Write> write;
  std::vector<Term> added;
};

struct StateForm {
  std::vector<AffineStep> steps;
  // S' = max(S + added, bound) instead.
  bool is_maximum = false;
  Tensor bound;
  std::vector<int> contracted;  // the axes of all contractions of the state
};

/// Returns true if a value depends on the state.
using DependsOnState = std::function<bool(const Tensor&)>;

/// Returns how `next` follows from the state `symbol`, if that is one of the known forms.
std::optional<StateForm> state_form(Writer& w, const Tensor& next, const std::string& symbol,
                                    const DependsOnState& depends);

/// Returns the product of some factors; 1 of none.
Tensor product_of(Writer& w, const std::vector<Term>& factors);

/// Returns the logarithm of a product of values that are positive by the way they were made, unless all
/// are 1. `is_named` says that a value itself is computed in any case, so that its logarithm is taken of it.
std::optional<Tensor> log_of(Writer& w, const std::vector<Term>& factors,
                             const std::function<bool(const std::string&)>& is_named);

}  // namespace gabbro::pytorch
