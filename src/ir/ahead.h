// Detects graphs that a decoder cannot run position by position.
#pragma once

#include <span>
#include <string>

#include "ir/graph.h"

namespace gabbro::ir {

/// Returns the name of an op that reads later positions and on which `outputs` depend, or "" if there is
/// none. A decoder cannot run such an op. O(nodes).
std::string looks_ahead(const Graph& graph, std::span<const NodeId> outputs);

}  // namespace gabbro::ir
