// Rewrites quotients as products where rounding decides nothing.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// Returns the same function with a / b as a * (1 / b), in all bodies, wherever nothing that jumps depends on
/// the quotient: a floor, a comparison, top_k, a condition, the index of a table, or a root, logarithm or
/// quotient at 0. A product is faster and belongs to patterns that other rewrites know; it is rounded twice,
/// so that 41 / 41 may be below 1, and a floor of it 0. What a path to a jump reads does not matter: values
/// of any distribution may be compared with each other. The larger of two values is no jump; where they tie,
/// its derivative is a convention. Parameters and inputs keep their indices. Run it before the other
/// rewrites. O(nodes) per round of marks through scans.
Graph with_reciprocals(const Graph& graph);

}  // namespace gabbro::ir
