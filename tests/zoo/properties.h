// Properties that every unit must have, whatever it computes.
#pragma once

#include <string>

#include "exec/reference/reference.h"
#include "lang/elaborate.h"

namespace gabbro::testing {

/// Returns random inputs and parameters drawn around their initial values, so that nothing is zero by
/// accident.
exec::Feed random_feed(const lang::Elaboration& e, int length, std::uint64_t seed);

/// Expects that decoding position by position gives the parallel result, to 1e-9.
void expect_step_equals_parallel(const lang::Elaboration& e, int length);

/// Expects that changing the inputs after a position, or lengthening the text, leaves the outputs up to that
/// position identical to the bit.
void expect_causal(const lang::Elaboration& e, int length);

/// Compares the gradient of a random linear functional of the outputs, with respect to every parameter and
/// every input, with central differences along random directions (relative 1e-6). Random inputs avoid kinks
/// (ties, thresholds).
void expect_gradient(lang::Elaboration e, int length);
/// Does the same for inputs and parameters of `seed`. Returns "" or the first mismatch.
std::string gradient_violation(lang::Elaboration e, int length, std::uint64_t seed);

}  // namespace gabbro::testing
