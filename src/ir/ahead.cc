#include "ir/ahead.h"

#include <vector>

#include "ir/op.h"

namespace gabbro::ir {

std::string looks_ahead(const Graph& graph, std::span<const NodeId> outputs) {
  const std::vector<bool> live = live_nodes(graph, 0, outputs);
  const auto& nodes = graph.bodies[0].nodes;
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    const Node& node = nodes[id];
    if (!live[id]) continue;
    const bool reduces_time =
        (node.op == Op::kSum || node.op == Op::kMaxOver || node.op == Op::kDot) && node.axes.contains(kTime);
    const bool final_state = node.op == Op::kScanOut && node.index < 0;
    if ((node.op == Op::kShift && node.amount < 0) || node.op == Op::kUnpast || reduces_time || final_state ||
        (node.op == Op::kScan && graph.scans[node.index].reverse))
      return std::string(info(node.op).name);
  }
  return "";
}

}  // namespace gabbro::ir
