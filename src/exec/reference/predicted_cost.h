// Predicts the cost of an evaluation by the reference backend.
#pragma once

#include <cstdint>
#include <span>

#include "ir/graph.h"

namespace gabbro::exec {

/// The cost of an evaluation.
struct PredictedCost {
  double peak_elements = 0;  // largest number of elements (8 bytes each) held at once
  // One for each iteration of an op's loops, plus 300 for each node. The nodes of a scan's body count once
  // per position.
  double operations = 0;
};

/// Predicts the cost of exec::evaluate(graph, wanted, ..., length): of all live nodes of the main body (body
/// 0), and of the steps of scans at every position. The number of elements is an upper bound, except for the
/// outputs and states that scans keep at each position. O(nodes).
PredictedCost predict_cost(const ir::Graph& graph, std::span<const ir::NodeId> wanted, std::int64_t length);

}  // namespace gabbro::exec
