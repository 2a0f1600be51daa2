#include "exec/torch/replay.h"

#include <algorithm>

namespace gabbro::exec::torch {

using ir::Node;
using ir::NodeId;
using ir::Op;

namespace {

// Numbers of the states of a scan from which on memory costs more than steps.
constexpr std::int64_t kLargeStates = 2048;

class Finder {
 public:
  Finder(const ir::Graph& graph, const std::vector<bool>& live, std::span<const NodeId> wanted)
      : graph_(graph), nodes_(graph.bodies[0].nodes), live_(live), readers_(nodes_.size()) {
    for (NodeId id = 0; id < static_cast<NodeId>(nodes_.size()); ++id)
      if (is_live(id))
        ir::for_each_operand(graph, node(id),
                             [&](NodeId in) { readers_[static_cast<std::size_t>(in)].push_back(id); });
    for (const NodeId id : wanted) readers_[static_cast<std::size_t>(id)].push_back(-1);
  }

  Replays find(const std::function<bool(NodeId)>& runs) {
    Replays out;
    for (NodeId id = 0; id < static_cast<NodeId>(nodes_.size()); ++id)
      if (is_live(id) && node(id).op == Op::kScan && runs(id) && !scan_of(id).reverse) drop(id, runs, out);
    return out;
  }

 private:
  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] bool is_live(NodeId id) const { return live_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const ir::Scan& scan_of(NodeId id) const {
    return graph_.scans[static_cast<std::size_t>(node(id).index)];
  }

  // The state that output `k` of the step is before it, or -1.
  [[nodiscard]] std::int32_t state_before(const ir::Scan& scan, std::size_t k) const {
    const ir::Body& step = graph_.bodies[static_cast<std::size_t>(scan.body)];
    const Node& n = step.nodes[static_cast<std::size_t>(step.outputs[k])];
    return n.op == Op::kArg && n.index < static_cast<std::int32_t>(scan.inits.size()) ? n.index : -1;
  }

  void drop(NodeId forward, const std::function<bool(NodeId)>& runs, Replays& out) const {
    const ir::Scan& scan = scan_of(forward);
    const std::size_t states = scan.inits.size(), count = ir::step_outputs(graph_, scan);
    std::vector<bool> dropped(count, true);
    std::map<NodeId, std::map<NodeId, std::int32_t>> found;  // adjoint, its sequence, state
    for (const NodeId id : readers_[static_cast<std::size_t>(forward)]) {
      if (id < 0 || node(id).op != Op::kScanOut || node(id).index < 0) continue;
      const std::vector<NodeId>& readers = readers_[static_cast<std::size_t>(id)];
      const auto k = static_cast<std::size_t>(node(id).index);
      const std::int32_t state = state_before(scan, states + k);
      const bool is_replayed =
          readers.size() == 1 && readers[0] >= 0 && state >= 0 && is_adjoint(readers[0], id, runs);
      if (is_replayed)
        found[readers[0]][id] = state;
      else if (!readers.empty())
        dropped[k] = false;
    }
    std::int64_t numbers = 0;
    for (const NodeId init : scan.inits) numbers += ir::elements(graph_, node(init).type.axes);
    if (numbers < kLargeStates || found.size() != 1) return;
    const auto& [adjoint, sequences] = *found.begin();
    Replays::Adjoint replay{forward, {}};
    for (const NodeId id : scan_of(adjoint).sequences) {
      const auto at = sequences.find(id);
      replay.states.push_back(at == sequences.end() ? -1 : at->second);
    }
    out.adjoints[adjoint] = std::move(replay);
    out.dropped[forward] = std::move(dropped);
  }

  [[nodiscard]] bool is_adjoint(NodeId id, NodeId sequence, const std::function<bool(NodeId)>& runs) const {
    if (node(id).op != Op::kScan || !scan_of(id).reverse || !runs(id)) return false;
    const std::vector<NodeId>& list = scan_of(id).sequences;
    return std::count(list.begin(), list.end(), sequence) == 1;
  }

  const ir::Graph& graph_;
  const std::vector<Node>& nodes_;
  const std::vector<bool>& live_;
  std::vector<std::vector<NodeId>> readers_;  // -1: whoever wanted it
};

}  // namespace

Replays find_replays(const ir::Graph& graph, const std::vector<bool>& live, std::span<const NodeId> wanted,
                     const std::function<bool(NodeId)>& runs) {
  return Finder(graph, live, wanted).find(runs);
}

}  // namespace gabbro::exec::torch
