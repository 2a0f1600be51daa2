// Inner gradients, grad(loss, w): which dependences they cover, and which programs are rejected because a
// dependence would be missed.
//
// A gradient is taken in the step of a scan, and covers what the step computes from w. The loss may depend on
// w in other ways: through a value computed from w before the scan, or through a state that earlier positions
// computed from w. The gradient would silently miss these, so such programs are rejected. Gradients that are
// always 0 are rejected too.
#pragma once

#include <string>
#include <vector>

#include "lang/elaborator.h"

namespace gabbro::lang {

/// Returns the names with respect to which `block` differentiates: the second arguments of its calls of grad.
std::vector<std::string> differentiated_names(const std::vector<Stmt>& block);

/// Evaluates a call of grad. Errors: "grad", "type", "future" (outside a scan).
Value run_grad(Elaborator& e, const Expr& call);

/// Rejects gradients in `step` of losses that read a state which depends on the value differentiated with
/// respect to. The outputs of the step must be complete. `states` are the names of the states, `inits` their
/// initial values.
void reject_gradients_through_states(Elaborator& e, const BodyContext& step,
                                     const std::vector<std::string>& states,
                                     const std::vector<NodeId>& inits);

}  // namespace gabbro::lang
