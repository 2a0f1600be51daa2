// Whether a graph can be run position by position.
#pragma once

#include <span>
#include <string>

#include "ir/graph.h"

namespace gabbro::ir {

/// The name of an op on which `outputs` depend and that no decoder can run, since it reads later positions;
/// "" when there is none. O(nodes).
std::string looks_ahead(const Graph& graph, std::span<const NodeId> outputs);

}  // namespace gabbro::ir
