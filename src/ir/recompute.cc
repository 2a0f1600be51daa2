#include "ir/recompute.h"

#include <algorithm>
#include <limits>
#include <map>

namespace gabbro::ir {

namespace {

class Recomputer {
 public:
  Recomputer(Graph& graph, NodeId backward)
      : graph_(graph), old_(graph.bodies[0].nodes), backward_(backward), large_(old_.size(), false) {}

  std::vector<NodeId> run(std::span<const NodeId> wanted) {
    find_large();
    find_cuts();
    if (starts_.empty()) return {wanted.begin(), wanted.end()};
    std::vector<Node>& nodes = graph_.bodies[0].nodes;
    nodes.resize(static_cast<std::size_t>(backward_));
    map_.assign(old_.size(), -1);
    for (NodeId id = backward_; id < static_cast<NodeId>(old_.size()); ++id) {
      const Node& node = old_[static_cast<std::size_t>(id)];
      map_[static_cast<std::size_t>(id)] = append(node, [&](NodeId in) {
        return in >= backward_ ? map_[static_cast<std::size_t>(in)] : recomputed(in);
      });
      if (node.type.time()) latest_ = map_[static_cast<std::size_t>(id)];
    }
    std::vector<NodeId> out;
    for (const NodeId id : wanted) out.push_back(id >= backward_ ? map_[static_cast<std::size_t>(id)] : id);
    return out;
  }

 private:
  // Finds values that exist at every position of every sequence; these fill the memory.
  void find_large() {
    for (std::size_t id = 0; id < old_.size(); ++id) {
      const Node& node = old_[id];
      bool varies = node.op == Op::kTokens || node.op == Op::kInput;
      for_each_operand(graph_, node,
                       [&](NodeId in) { varies = varies || large_[static_cast<std::size_t>(in)]; });
      large_[id] = varies && (node.type.time() || node.op == Op::kScan);
    }
  }

  // Chooses the cuts. A cut lies before a node, and the values that later nodes read cross it.
  void find_cuts() {
    std::vector<NodeId> last(old_.size(), -1);  // the last forward reader
    for (NodeId id = 0; id < backward_; ++id)
      for_each_operand(graph_, old_[static_cast<std::size_t>(id)],
                       [&](NodeId in) { last[static_cast<std::size_t>(in)] = id; });
    constexpr std::int64_t kNoCut = std::int64_t{1} << 40;  // a size that forbids cuts where it crosses
    const auto size = [&](NodeId id) -> std::int64_t {
      const Node& node = old_[static_cast<std::size_t>(id)];
      // Forbids a cut between a recurrence and its results.
      if (node.op == Op::kScan || node.op == Op::kAffine) return kNoCut;
      return node.op == Op::kTokens || node.op == Op::kInput ? 0 : elements(graph_, node.type.axes);
    };
    // By place of a cut: the values that cross it, and those created before it.
    std::vector<std::int64_t> across(static_cast<std::size_t>(backward_) + 1, 0), created(across.size(), 0);
    // Forbids cuts among pairs of positions, which are never held in memory as a whole.
    const auto held = [&](NodeId id) {
      return old_[static_cast<std::size_t>(id)].type.past() ? kNoCut : size(id);
    };
    std::int64_t live = 0;
    std::vector<std::int64_t> ends(across.size(), 0);
    for (NodeId id = 0; id < backward_; ++id) {
      const auto at = static_cast<std::size_t>(id);
      across[at] = live;
      if (large_[at] && last[at] > id) {
        live += held(id);
        ends[static_cast<std::size_t>(last[at])] += held(id);
      }
      live -= ends[at];
      created[at + 1] = created[at] + (large_[at] ? size(id) : 0);
    }
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    for (NodeId id = 1; id < backward_; ++id)
      if (created[static_cast<std::size_t>(id)] > 0 && across[static_cast<std::size_t>(id)] > 0)
        least = std::min(least, across[static_cast<std::size_t>(id)]);
    // Minimum ratio of the values that a segment creates to those that are kept for it.
    constexpr std::int64_t kMinGain = 6;
    constexpr std::int64_t kMaxWidth = 2;  // of a cut, relative to the narrowest
    std::size_t begin = 0;
    for (std::size_t at = 1; at < static_cast<std::size_t>(backward_); ++at) {
      if (across[at] == 0 || across[at] > kMaxWidth * least ||
          created[at] - created[begin] < kMinGain * across[at])
        continue;
      starts_.push_back(static_cast<NodeId>(at));
      begin = at;
    }
    kept_.assign(old_.size(), false);
    for (const NodeId start : starts_)
      for (NodeId id = 0; id < start; ++id)
        if (large_[static_cast<std::size_t>(id)] && last[static_cast<std::size_t>(id)] >= start)
          kept_[static_cast<std::size_t>(id)] = true;
  }

  // Returns a forward value for the gradient. A value that is kept, is small, or comes after the last cut is
  // used as it is; any other value is recomputed.
  NodeId recomputed(NodeId id) {
    const auto at = static_cast<std::size_t>(id);
    if (!large_[at] || kept_[at] || id >= starts_.back() || old_[at].op == Op::kTokens ||
        old_[at].op == Op::kInput)
      return id;
    if (const auto found = copies_.find(id); found != copies_.end()) return found->second;
    const NodeId copy = append(old_[at], [&](NodeId in) {
      const auto from = static_cast<std::size_t>(in);
      return large_[from] && kept_[from] && old_[from].op != Op::kTokens ? later(in) : recomputed(in);
    });
    copies_.emplace(id, copy);
    return copy;
  }

  // Returns a kept value, but no earlier than the current point of the gradient.
  NodeId later(NodeId id) {
    if (latest_ < 0) return id;
    if (const auto found = later_.find(id); found != later_.end()) return found->second;
    graph_.bodies[0].nodes.push_back(
        {.op = Op::kAfter, .type = old_[static_cast<std::size_t>(id)].type, .in = {id, latest_, -1}});
    return later_[id] = static_cast<NodeId>(graph_.bodies[0].nodes.size()) - 1;
  }

  template <class F>
  NodeId append(Node node, F&& operand) {
    if (node.op == Op::kScan) {
      Scan scan = graph_.scans[static_cast<std::size_t>(node.index)];
      for (auto* list : {&scan.inits, &scan.sequences, &scan.invariants})
        for (NodeId& in : *list) in = operand(in);
      node.index = static_cast<std::int32_t>(graph_.scans.size());
      graph_.scans.push_back(std::move(scan));
    }
    if (node.op == Op::kAffine) {
      Affine affine = graph_.affines[static_cast<std::size_t>(node.index)];
      for (NodeId& in : affine.operands) in = operand(in);
      node.index = static_cast<std::int32_t>(graph_.affines.size());
      graph_.affines.push_back(std::move(affine));
    }
    for (NodeId& in : node.in)
      if (in >= 0) in = operand(in);
    graph_.bodies[0].nodes.push_back(node);
    return static_cast<NodeId>(graph_.bodies[0].nodes.size()) - 1;
  }

  Graph& graph_;
  const std::vector<Node> old_;
  const NodeId backward_;
  std::vector<bool> large_, kept_;
  std::vector<NodeId> starts_;  // first nodes of the segments after the first
  std::vector<NodeId> map_;     // for each gradient node, its new id
  std::map<NodeId, NodeId> copies_, later_;
  NodeId latest_ = -1;  // the last gradient node with time so far
};

}  // namespace

std::vector<NodeId> recompute_activations(Graph& graph, NodeId backward, std::span<const NodeId> wanted) {
  return Recomputer(graph, backward).run(wanted);
}

}  // namespace gabbro::ir
