// Predicts the cost of an evaluation by the reference backend.
#pragma once

#include <cstdint>
#include <span>

#include "ir/graph.h"

namespace gabbro::exec {

/// The number of elements held at once (8 bytes each), and the number of operations: one for each element of
/// the space that an op loops over, plus 300 for each node. Nodes of a scan body count once per position.
struct Work {
  double elements = 0, operations = 0;
};

/// Predicts the work of exec::evaluate(graph, wanted, ..., length): of all live nodes of body 0, and of the
/// steps of scans at every position. The number of elements is an upper bound, except for the histories of
/// scans. O(nodes).
Work work_of(const ir::Graph& graph, std::span<const ir::NodeId> wanted, std::int64_t length);

}  // namespace gabbro::exec
