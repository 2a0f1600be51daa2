// Properties that every unit must have, whatever it computes.
#pragma once

#include <string>

#include "exec/reference/reference.h"
#include "lang/elaborate.h"

namespace gabbro::testing {

/// A feed of random inputs and of parameters drawn around their initial values, so that nothing is zero by
/// accident.
exec::Feed random_feed(const lang::Elaboration& e, int length, std::uint64_t seed);

/// Decoding position by position gives the parallel result, to 1e-9.
void expect_step_equals_parallel(const lang::Elaboration& e, int length);

/// Changing the inputs after a position leaves the outputs up to it identical, to the bit; so does a longer
/// text.
void expect_causal(const lang::Elaboration& e, int length);

/// The gradient of a random linear functional of the outputs, with respect to every parameter and every
/// input, against central differences along random directions (relative 1e-6). Values at kinks (ties,
/// thresholds) are avoided by random inputs.
void expect_gradient(lang::Elaboration e, int length);
/// The same for inputs and parameters of `seed`: "" or the first mismatch.
std::string gradient_violation(lang::Elaboration e, int length, std::uint64_t seed);

}  // namespace gabbro::testing
