// Computes gradients by source transformation: the adjoint computation is appended to the graph as ordinary
// nodes.
#pragma once

#include <span>
#include <vector>

#include "ir/builder.h"

namespace gabbro::ir {

/// Appends to `builder`'s body the gradients of sum_i <outputs[i], seeds[i]> with respect to each node of
/// `wrt`, and returns them. seeds[i] has the type of outputs[i]. A node that does not influence the outputs
/// gets zeros. The gradient of a scan is a scan in the other direction; its step is the gradient of the
/// forward step, recomputed from the stored states. Gradients can therefore be differentiated again. Each
/// op's rule is in the op table. O(nodes of the result).
std::vector<NodeId> differentiate(Builder& builder, std::span<const NodeId> outputs,
                                  std::span<const NodeId> seeds, std::span<const NodeId> wrt);

}  // namespace gabbro::ir
