// Rewrites quotients as products where rounding decides nothing.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// Returns the same function with a / b as a * (1 / b), in all bodies, wherever no jump, be it a step or a
/// pole, depends on the quotient (decisions.h), and no maximum reads it: where max(abs(x)) / max(abs(x)) ties
/// with 1, the last bit decides which of the two gets the gradient. A product is faster and belongs to
/// patterns that other rewrites know; it is rounded twice, so that 41 / 41 may be below 1, and a floor of it
/// 0. Parameters and inputs keep their indices. Run it before the other rewrites. O(nodes) per round of marks
/// through scans.
Graph with_reciprocals(const Graph& graph);

}  // namespace gabbro::ir
