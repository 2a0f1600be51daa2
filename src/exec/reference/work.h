// What an evaluation by the reference backend will take, computed beforehand.
#pragma once

#include <cstdint>
#include <span>

#include "ir/graph.h"

namespace gabbro::exec {

/// Elements that are held at once (8 bytes each), and operations: one for each element of the space that an
/// op loops over, and 300 for each node of the model, and of a step at each position.
struct Work {
  double elements = 0, operations = 0;
};

/// The work of exec::evaluate(graph, wanted, ..., length): of all live nodes of body 0, and of the steps of
/// scans at every position. An upper bound on elements to within the histories of scans. O(nodes).
Work work_of(const ir::Graph& graph, std::span<const ir::NodeId> wanted, std::int64_t length);

}  // namespace gabbro::exec
