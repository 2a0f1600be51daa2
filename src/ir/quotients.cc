#include "ir/quotients.h"

#include <cmath>
#include <limits>
#include <vector>

#include "ir/builder.h"
#include "ir/decisions.h"

namespace gabbro::ir {

namespace {

// Returns 1 / value if training can compute with it, else 0.
double reciprocal(double value) {
  const double inverse = 1 / value;
  const bool is_normal = std::abs(inverse) >= std::numeric_limits<float>::min() &&
                         std::abs(inverse) <= std::numeric_limits<float>::max();
  return is_normal ? inverse : 0;
}

NodeId product(Builder& b, NodeId x, NodeId y) {
  if (b.node(y).op != Op::kConst) return b.times(x, b.unary(Op::kRecip, y));
  const double inverse = reciprocal(b.node(y).value);
  if (inverse == 0) return b.over(x, y);
  return b.times(x, b.node(y).index < 0 ? b.constant(inverse) : b.unary(Op::kRecip, y));
}

}  // namespace

Graph with_reciprocals(const Graph& graph) {
  const Decisions decides(graph, Jumps::kStepsAndPoles);
  Graph out = graph;
  for (std::size_t body = graph.bodies.size(); body-- > 0;) {  // steps before the scans that read them
    const Body& from = graph.bodies[body];
    out.bodies[body] = {};
    Builder b(out, static_cast<int>(body));
    std::vector<NodeId> map(from.nodes.size(), -1);
    for (std::size_t id = 0; id < from.nodes.size(); ++id) {
      const Node& n = from.nodes[id];
      b.set_line(n.line);
      map[id] =
          n.op == Op::kDiv && !decides(body, static_cast<NodeId>(id))
              ? product(b, map[static_cast<std::size_t>(n.in[0])], map[static_cast<std::size_t>(n.in[1])])
              : copy_node(b, n, map);
    }
    for (const NodeId id : from.outputs)
      out.bodies[body].outputs.push_back(map[static_cast<std::size_t>(id)]);
  }
  return out;
}

}  // namespace gabbro::ir
