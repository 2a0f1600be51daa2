// Patterns that backends have kernels for.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// The same function with every softmax along one axis as one operation, and constant factors of contractions
/// over pairs of positions moved to the operand that has no past. Body 0 is rewritten, steps of scans stay as
/// they are; parameters and inputs keep their numbers. To be run before differentiation: what it makes has
/// gradients of its own. O(nodes).
Graph fuse(const Graph& graph);

}  // namespace gabbro::ir
