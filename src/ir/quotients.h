// Rewrites quotients as products where rounding decides nothing.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// Returns the same function with a / b as a * (1 / b), in all bodies, wherever no step function reads the
/// quotient: a floor, a comparison, the larger of two values, top_k, a condition, or the index of a table. A
/// product is faster and belongs to patterns that other rewrites know; it is rounded twice, so that 41 / 41
/// may be below 1, and a floor of it 0. A path to a step function ends where the value is mixed with randomly
/// initialised parameters, because the result is then at a threshold with probability 0. Parameters and
/// inputs keep their indices. Run it before the other rewrites. O(nodes) per level of nested scans.
Graph with_reciprocals(const Graph& graph);

}  // namespace gabbro::ir
