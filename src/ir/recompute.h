// Trades memory for computation: activations that a gradient needs are recomputed instead of kept.
#pragma once

#include <span>
#include <vector>

#include "ir/graph.h"

namespace gabbro::ir {

/// Rewrites body 0, whose nodes from `backward` on are a gradient of those before (gradient checkpointing:
/// Chen et al. 2016, arXiv 1604.06174). The forward part is cut where few values cross, which is between the
/// blocks of a design. What the gradient reads from a segment between two cuts is recomputed from the values
/// at the first cut, when the gradient reaches the segment. Nodes before `backward` keep their ids. Returns
/// the new ids of the nodes `wanted`; the graph is unchanged if there is no place for a cut. O(nodes).
std::vector<NodeId> recompute_activations(Graph& graph, NodeId backward, std::span<const NodeId> wanted);

}  // namespace gabbro::ir
