#include "exec/reference/predicted_cost.h"

#include <algorithm>
#include <limits>

#include "ir/op.h"

namespace gabbro::exec {

namespace {

using ir::Node;
using ir::NodeId;
using ir::Op;

// Overhead of a node, in operations: planning its loops and allocating memory takes about this long.
constexpr double kNodeOverhead = 300;

class CostModel {
 public:
  CostModel(const ir::Graph& graph, std::int64_t length)
      : graph_(graph), length_(static_cast<double>(length)) {}

  PredictedCost body(int index, std::span<const NodeId> wanted) const {
    const auto& nodes = graph_.bodies[index].nodes;
    const std::vector<bool> live = ir::live_nodes(graph_, index, wanted);
    // In body 0, values that are no longer read are freed. A scan's step keeps its values from position to
    // position.
    std::vector<int> readers(nodes.size(), 0);
    for (std::size_t id = 0; id < live.size(); ++id)
      if (live[id]) ir::for_each_operand(graph_, nodes[id], [&](NodeId in) { ++readers[in]; });
    for (const NodeId id : wanted) ++readers[id];
    PredictedCost out;
    double held = 0;
    for (std::size_t id = 0; id < live.size(); ++id) {
      if (!live[id]) continue;
      const PredictedCost own = node_cost(index, nodes[id]);
      out.operations += own.operations + kNodeOverhead;
      out.peak_elements = std::max(out.peak_elements, held += own.peak_elements);
      if (index != 0 || nodes[id].op == Op::kScan) continue;
      ir::for_each_operand(graph_, nodes[id], [&](NodeId in) {
        if (--readers[in] == 0 && nodes[in].op != Op::kScan) held -= size(nodes[in].type.axes, length_);
      });
    }
    return out;
  }

 private:
  [[nodiscard]] PredictedCost node_cost(int body, const Node& node) const {
    if (node.op == Op::kScan) return scan_cost(graph_.scans[node.index]);
    ir::Type space = node.type;
    const bool moves =
        ir::info(node.op).kind == ir::Kind::kAxes || ir::info(node.op).kind == ir::Kind::kTable;
    for (const NodeId in : node.in)
      if (in >= 0 && !moves)
        for (const ir::AxisId axis : graph_.node(body, in).type.axes) {
          space.add(axis);
          space.window = std::max(space.window, graph_.node(body, in).type.window);
        }
    return {size(node.type.axes, length_),
            size(space.axes, std::min(length_, static_cast<double>(std::max(space.window, 1))))};
  }

  // The step runs at every position. Its outputs, and its states for the backward pass, are kept for each
  // position.
  [[nodiscard]] PredictedCost scan_cost(const ir::Scan& scan) const {
    const auto& step = graph_.bodies[scan.body];
    PredictedCost out = body(scan.body, step.outputs);
    out.operations *= length_;
    for (const NodeId id : step.outputs) out.peak_elements += size(step.nodes[id].type.axes, 1) * length_;
    return out;
  }

  [[nodiscard]] double size(const ir::AxisList& axes, double past) const {
    double out = static_cast<double>(ir::elements(graph_, axes));
    if (axes.contains(ir::kTime)) out *= length_;
    if (axes.contains(ir::kPast)) out *= past;
    return out;
  }

  const ir::Graph& graph_;
  double length_;
};

}  // namespace

PredictedCost predict_cost(const ir::Graph& graph, std::span<const NodeId> wanted, std::int64_t length) {
  return CostModel(graph, length).body(0, wanted);
}

}  // namespace gabbro::exec
