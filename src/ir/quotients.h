// Rewrites quotients as products where rounding decides nothing.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// Returns the same function with a / b as a * (1 / b), in all bodies, wherever no step function reads the
/// quotient: a floor, a comparison, the larger of two values, top_k, a condition, the index of a table, or a
/// root or logarithm, which ends at 0. A product is faster and belongs to patterns that other rewrites know;
/// it is rounded twice, so that 41 / 41 may be below 1, and a floor of it 0. A path to a step function ends
/// at values that are spread by randomly initialised parameters, because they are at a threshold with
/// probability 0; of values that are 0 or spread, only whether they are 0 matters. A sum of spread values
/// that depend on each other (x - n / n * x) counts as spread. Parameters and inputs keep their indices. Run
/// it before the other rewrites. O(nodes) per round of marks through scans.
Graph with_reciprocals(const Graph& graph);

}  // namespace gabbro::ir
