// Less memory for more work: activations that a gradient needs are computed again instead of kept.
#pragma once

#include <span>
#include <vector>

#include "ir/graph.h"

namespace gabbro::ir {

/// Rewrites body 0, whose nodes from `backward` on are a gradient of those before: the forward part is cut
/// where few values cross (between the blocks of a design), and what the gradient reads of a stretch between
/// two cuts is computed again from the values at the first, as soon as the gradient comes there (gradient
/// checkpointing: Chen et al. 2016, arXiv 1604.06174). Nodes before `backward` keep their ids. Returns
/// `wanted` in the new numbering; the graph is unchanged when there is nowhere to cut. O(nodes).
std::vector<NodeId> recompute_activations(Graph& graph, NodeId backward, std::span<const NodeId> wanted);

}  // namespace gabbro::ir
