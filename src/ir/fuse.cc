#include "ir/fuse.h"

#include <optional>

#include "ir/builder.h"
#include "ir/decisions.h"

namespace gabbro::ir {

namespace {

class Fuser {
 public:
  Fuser(const Graph& from, Graph& to)
      : from_(from),
        nodes_(from.bodies[0].nodes),
        decides_(from, Jumps::kSteps),
        b_(to, 0),
        map_(nodes_.size(), -1) {}

  void run() {
    const std::vector<bool> live = live_nodes(from_, 0, from_.bodies[0].outputs);
    for (std::size_t id = 0; id < nodes_.size(); ++id)
      if (live[id]) map_[id] = copy(static_cast<NodeId>(id));
    for (const NodeId id : from_.bodies[0].outputs) b_.graph().bodies[0].outputs.push_back(map_[id]);
  }

 private:
  struct SoftmaxMatch {
    NodeId x = -1;
    AxisId axis = 0;
  };

  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] bool is_constant(NodeId id) const { return node(id).op == Op::kConst && node(id).index < 0; }

  NodeId copy(NodeId id) {
    const Node& n = node(id);
    b_.set_line(n.line);
    if (decides_(0, id)) return copy_node(b_, n, map_);
    if (const auto softmax = match_softmax(n))
      return b_.add({.op = Op::kSoftmax, .in = {map_[softmax->x], -1, -1}, .axes = {softmax->axis}});
    if (const auto scaled = scaled_product(n)) return *scaled;
    return copy_node(b_, n, map_);
  }

  // Matches e / sum(e) with e = exp(x - m), where m is the detached maximum of x along the summed axis.
  [[nodiscard]] std::optional<SoftmaxMatch> match_softmax(const Node& n) const {
    if (n.op == Op::kDiv) return match_shares(n, n.in[0], n.in[1]);
    if (n.op != Op::kMul) return {};
    for (int i = 0; i < 2; ++i)
      if (const Node& inverse = node(n.in[1 - i]); inverse.op == Op::kRecip)
        if (const auto match = match_shares(n, n.in[i], inverse.in[0])) return match;
    return {};
  }

  // Matches `n` = e / total.
  [[nodiscard]] std::optional<SoftmaxMatch> match_shares(const Node& n, NodeId e, NodeId sum) const {
    const Node &exponential = node(e), &total = node(sum);
    if (exponential.op != Op::kExp || total.op != Op::kSum || total.in[0] != e || total.axes.size() != 1)
      return {};
    const Node& difference = node(exponential.in[0]);
    if (difference.op != Op::kAdd || difference.type != n.type) return {};
    for (int k = 0; k < 2; ++k) {
      const NodeId x = difference.in[k];
      if (is_negated_max(difference.in[1 - k], x, total.axes[0]) && node(x).type == n.type)
        return SoftmaxMatch{x, total.axes[0]};
    }
    return {};
  }

  // Returns true if node `id` is -1 * detach(max(x, over=axis)).
  [[nodiscard]] bool is_negated_max(NodeId id, NodeId x, AxisId axis) const {
    const Node& n = node(id);
    if (n.op != Op::kMul) return false;
    for (int i = 0; i < 2; ++i) {
      if (!is_constant(n.in[i]) || node(n.in[i]).value != -1) continue;
      const Node& detached = node(n.in[1 - i]);
      if (detached.op != Op::kDetach) continue;
      const Node& largest = node(detached.in[0]);
      if (largest.op == Op::kMaxOver && largest.in[0] == x && largest.axes.size() == 1 &&
          largest.axes[0] == axis)
        return true;
    }
    return false;
  }

  // Rewrites c * dot(a, b) over pairs as dot(c * a, b) if a has no past axis: one multiplication per position
  // instead of one per pair.
  std::optional<NodeId> scaled_product(const Node& n) {
    if (n.op != Op::kMul || !n.type.past()) return {};
    for (int i = 0; i < 2; ++i) {
      const Node& factor = node(n.in[i]);
      const Node& product = node(n.in[1 - i]);
      if (factor.op != Op::kConst || product.op != Op::kDot) continue;
      for (int k = 0; k < 2; ++k)
        if (!node(product.in[k]).type.past())
          return b_.dot(b_.times(map_[n.in[i]], map_[product.in[k]]), map_[product.in[1 - k]], product.axes);
    }
    return {};
  }

  const Graph& from_;
  const std::vector<Node>& nodes_;
  Decisions decides_;
  Builder b_;
  std::vector<NodeId> map_;
};

}  // namespace

Graph fuse(const Graph& graph) {
  Graph out = graph;
  out.bodies[0] = {};
  Fuser(graph, out).run();
  return out;
}

}  // namespace gabbro::ir
