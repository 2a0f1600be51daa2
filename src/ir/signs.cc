#include "ir/signs.h"

#include <cmath>

#include "ir/builder.h"

namespace gabbro::ir {

namespace {

// Copies the live nodes of body 0 of `from` to `out`, whose body 0 is empty, and absorbs signs on the way.
class Signs {
 public:
  Signs(const Graph& from, Graph& out)
      : from_(from), b_(out, 0), map_(from.bodies[0].nodes.size(), -1), uses_(map_.size(), 0) {
    const auto& nodes = from.bodies[0].nodes;
    live_ = live_nodes(from, 0, from.bodies[0].outputs);
    for (std::size_t id = 0; id < nodes.size(); ++id)
      if (live_[id]) for_each_operand(from, nodes[id], [&](NodeId in) { ++uses_[in]; });
    for (const NodeId id : from.bodies[0].outputs) ++uses_[id];
  }

  void run() {
    const auto& nodes = from_.bodies[0].nodes;
    for (std::size_t id = 0; id < nodes.size(); ++id) {
      if (!live_[id]) continue;
      map_[id] = nodes[id].op == Op::kMul ? product(nodes[id]) : copy_node(b_, nodes[id], map_);
    }
    for (const NodeId id : from_.bodies[0].outputs) b_.graph().bodies[0].outputs.push_back(map_[id]);
  }

 private:
  NodeId product(const Node& node) {
    for (int i = 0; i < 2; ++i) {
      const Node& factor = from_.node(0, node.in[i]);
      // A constant with an index is symbolic: its value, and so its sign, depend on the width.
      const bool negative = factor.op == Op::kConst && factor.index < 0 && factor.value < 0;
      if (negative && takes_sign(node.in[1 - i]))
        return b_.times(b_.constant(-factor.value), map_[node.in[1 - i]]);
    }
    return copy_node(b_, node, map_);
  }

  // Returns true if negating the value of `id` is equivalent to a change of parameters that keeps their
  // distribution, and no other node reads the value.
  [[nodiscard]] bool takes_sign(NodeId id) const {
    if (uses_[id] != 1) return false;
    const Node& n = from_.node(0, id);
    switch (n.op) {
      case Op::kParam: {
        const Init& init = from_.params[n.index].init;
        return init.kind == Init::Kind::kNormal || (init.kind == Init::Kind::kConstant && init.a == 0) ||
               (init.kind == Init::Kind::kUniform && init.a == -init.b);
      }
      case Op::kMul:
      case Op::kDot:
        return takes_sign(n.in[0]) || takes_sign(n.in[1]);
      case Op::kAdd:
        return takes_sign(n.in[0]) && takes_sign(n.in[1]);
      case Op::kDiv:
      case Op::kSum:
      case Op::kShift:
      case Op::kPast:
      case Op::kTanh:
      case Op::kSin:
      case Op::kErf:
      case Op::kLookup:
        return takes_sign(n.in[0]);
      default:  // Ops that only rearrange elements (split, merge, pad ...) keep signs; all others do not.
        return info(n.op).kind == Kind::kAxes && takes_sign(n.in[0]);
    }
  }

  const Graph& from_;
  Builder b_;
  std::vector<NodeId> map_;  // the copy of each node of `from`; -1 before it is copied
  std::vector<int> uses_;    // readers of each node's value, results of the graph included
  std::vector<bool> live_;
};

}  // namespace

Graph with_signs_absorbed(const Graph& graph) {
  Graph out = graph;
  out.bodies[0] = {};
  Signs(graph, out).run();
  return out;
}

}  // namespace gabbro::ir
