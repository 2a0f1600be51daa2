#include "trial/engines.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/op.h"

namespace gabbro::trial {

std::vector<double> losses_of(const exec::Tensor& logits, const std::vector<std::int64_t>& targets) {
  const auto vocab = static_cast<std::size_t>(logits.dims.at(1));
  std::vector<double> out;
  for (std::size_t t = 0; t * vocab < logits.data.size(); ++t) {
    const double* row = logits.data.data() + t * vocab;
    const double top = *std::max_element(row, row + vocab);
    double sum = 0;
    for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(row[v] - top);
    out.push_back(top + std::log(sum) - row[targets[t]]);
  }
  return out;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]);
    if (std::isnan(d)) return d;
    most = std::max(most, d);
  }
  return most;
}

std::string looks_ahead(const ir::Graph& graph, const std::vector<ir::NodeId>& outputs) {
  const std::vector<bool> live = ir::live_nodes(graph, 0, outputs);
  const auto& nodes = graph.bodies[0].nodes;
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    const ir::Node& node = nodes[id];
    if (!live[id]) continue;
    const bool reduces_time =
        (node.op == ir::Op::kSum || node.op == ir::Op::kMaxOver || node.op == ir::Op::kDot) &&
        node.axes.contains(ir::kTime);
    const bool final_state = node.op == ir::Op::kScanOut && node.index < 0;
    if ((node.op == ir::Op::kShift && node.amount < 0) || node.op == ir::Op::kUnpast || reduces_time ||
        final_state || (node.op == ir::Op::kScan && graph.scans[node.index].reverse))
      return std::string(ir::info(node.op).name);
  }
  return "";
}

exec::Tensor decoded(const ir::Graph& graph, ir::NodeId logits, const exec::Feed& feed) {
  const std::vector<ir::NodeId> wanted{logits};
  exec::Stepper stepper(graph, wanted, feed.params);
  exec::Tensor out;
  for (const std::int64_t token : feed.tokens) {
    exec::Feed one;
    one.tokens = {token};
    const exec::Tensor row = std::move(stepper.step(one)[0]);
    out.data.insert(out.data.end(), row.data.begin(), row.data.end());
    out.dims = {static_cast<std::int64_t>(feed.tokens.size()), static_cast<std::int64_t>(row.data.size())};
  }
  return out;
}

}  // namespace gabbro::trial
