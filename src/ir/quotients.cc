#include "ir/quotients.h"

#include <algorithm>
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

std::size_t at(NodeId id) { return static_cast<std::size_t>(id); }

// Calls `visit` with the operands whose values `n` passes on without rounding them.
template <class Visit>
void for_each_kept(const Body& body, const Node& n, const Visit& visit) {
  const auto is_constant = [&](NodeId id) { return body.nodes[at(id)].op == Op::kConst; };
  const bool is_exact_product =
      n.op == Op::kMul && std::any_of(n.in.begin(), n.in.begin() + 2, [&](NodeId id) {
        return is_constant(id) && is_power_of_two(body.nodes[at(id)].value);
      });
  const bool is_concat = n.op == Op::kAdd && std::any_of(n.in.begin(), n.in.begin() + 2, [&](NodeId id) {
                           return body.nodes[at(id)].op == Op::kPad;
                         });
  const Kind kind = info(n.op).kind;
  if (n.op == Op::kWhere || n.op == Op::kMax || n.op == Op::kMaxOver || is_exact_product || is_concat ||
      kind == Kind::kAxes || kind == Kind::kTime)
    for (const NodeId id : n.in)
      if (id >= 0) visit(id);
}

// Returns the nodes of a body whose values may equal the other operand of a maximum. Maxima with 0 do not
// count: a quotient is 0 exactly where its product is.
std::vector<bool> operands_of_maxima(const Body& body) {
  std::vector<bool> out(body.nodes.size());
  const auto is_zero = [&](NodeId id) {
    return body.nodes[at(id)].op == Op::kConst && body.nodes[at(id)].value == 0;
  };
  for (std::size_t id = body.nodes.size(); id-- > 0;) {
    const Node& n = body.nodes[id];
    const bool may_tie = n.op == Op::kMax && !is_zero(n.in[0]) && !is_zero(n.in[1]);
    if (may_tie || out[id]) for_each_kept(body, n, [&](NodeId in) { out[at(in)] = true; });
  }
  return out;
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
    const std::vector<bool> may_tie = operands_of_maxima(from);
    for (std::size_t id = 0; id < from.nodes.size(); ++id) {
      const Node& n = from.nodes[id];
      b.set_line(n.line);
      map[id] = n.op == Op::kDiv && !may_tie[id] && !decides(body, static_cast<NodeId>(id))
                    ? product(b, map[at(n.in[0])], map[at(n.in[1])])
                    : copy_node(b, n, map);
    }
    for (const NodeId id : from.outputs) out.bodies[body].outputs.push_back(map[at(id)]);
  }
  return out;
}

}  // namespace gabbro::ir
