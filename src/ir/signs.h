// Signs that training does not see.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// `graph` with negative constant factors made positive where a parameter takes the sign: its initial values
/// are as likely with either sign (normal, zero, or uniform around 0), and the factor reaches it through
/// linear maps and odd functions that nothing else reads. So x - linear(y, D) becomes x + linear(y, D), which
/// trains the same in distribution. Of the model, not of the steps of scans. O(nodes).
Graph with_signs_absorbed(const Graph& graph);

}  // namespace gabbro::ir
