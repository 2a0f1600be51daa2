// Inner gradients, grad(loss, w): what they see, and what is refused because they would not see it.
//
// A gradient is taken in the step of a scan, of what the step computes from w. A way from w to the loss
// outside of it, a value made of w before the scan or a state that earlier positions made of w, would be
// missed without a word: such programs are refused, as are gradients that are 0 whatever the numbers.
#pragma once

#include <string>
#include <vector>

#include "lang/elaborator.h"

namespace gabbro::lang {

/// The names by which `block` differentiates: those that stand second in a call of grad.
std::vector<std::string> differentiated_names(const std::vector<Stmt>& block);

/// Runs a call of grad. Errors: "grad", "type", "future" (outside a scan).
Value run_grad(Elaborator& e, const Expr& call);

/// Refuses the gradients of the step `body`, whose outputs are complete, with respect to values that its
/// states depend on. `states` are their names, `inits` what they start from.
void check_states_held(Elaborator& e, const BodyContext& step, const std::vector<std::string>& states,
                       const std::vector<NodeId>& inits);

}  // namespace gabbro::lang
