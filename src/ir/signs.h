// Removes signs that do not affect training.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// Returns `graph` with negative constant factors made positive where a parameter can absorb the sign: its
/// initial distribution is symmetric (normal, zero, or uniform around 0), and the factor reaches it through
/// linear maps and odd functions that nothing else reads. For example, x - linear(y, D) becomes x + linear(y,
/// D), which trains identically in distribution. Only body 0 is rewritten, not the steps of scans. O(nodes).
Graph with_signs_absorbed(const Graph& graph);

}  // namespace gabbro::ir
