// Replaces patterns for which backends have kernels.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// Returns the same function with every softmax along one axis as a single operation, and with constant
/// factors of contractions over pairs of positions moved to the operand that has no past axis, unless a step
/// depends on them (decisions.h). Only body 0 is rewritten, not the steps of scans; parameters and inputs
/// keep their indices. Run it before differentiation, because the new ops have their own gradient rules.
/// O(nodes).
Graph fuse(const Graph& graph);

}  // namespace gabbro::ir
