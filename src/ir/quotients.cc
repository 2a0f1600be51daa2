#include "ir/quotients.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "ir/builder.h"
#include "ir/op.h"

namespace gabbro::ir {

namespace {

// Finds the nodes whose exact value may decide something.
class Deciding {
 public:
  explicit Deciding(const Graph& graph) : graph_(graph) {
    for (const Body& body : graph.bodies) marks_.emplace_back(body.nodes.size(), false);
    random_ = marks_;
    for (std::size_t body = 0; body < random_.size(); ++body) find_random(body);  // a step after its scan
    while (std::exchange(grown_, false))
      for (std::size_t body = 0; body < marks_.size(); ++body) sweep(body);
  }

  [[nodiscard]] bool operator()(std::size_t body, NodeId id) const {
    return marks_[body][static_cast<std::size_t>(id)];
  }

 private:
  void mark(std::size_t body, NodeId id) {
    if (id < 0 || (*this)(body, id)) return;
    marks_[body][static_cast<std::size_t>(id)] = true;
    grown_ = true;
  }

  // Marks operands of the nodes of a body, from the last node to the first.
  void sweep(std::size_t body) {
    const auto& nodes = graph_.bodies[body].nodes;
    for (auto id = static_cast<NodeId>(nodes.size()); id-- > 0;) {
      const Node& n = nodes[static_cast<std::size_t>(id)];
      if (n.op == Op::kScan) bind(body, graph_.scans[static_cast<std::size_t>(n.index)]);
      if (n.op == Op::kWhere) mark(body, n.in[0]);
      if (n.op == Op::kLookup) mark(body, n.in[1]);
      const bool is_step = n.op == Op::kFloor || n.op == Op::kLess || n.op == Op::kTopK || n.op == Op::kMax ||
                           n.op == Op::kMaxOver;
      if (!is_step && (!(*this)(body, id) || is_mixed(body, n))) continue;
      if (n.op == Op::kScanOut)
        result(graph_.scans[static_cast<std::size_t>(nodes[static_cast<std::size_t>(n.in[0])].index)],
               n.index);
      else
        for (const NodeId in : n.in) mark(body, in);
    }
  }

  // Marks what result `index` of a scan is in its step: a value of each step, or (below 0) a state.
  void result(const Scan& scan, int index) {
    const int states = static_cast<int>(scan.inits.size());
    const auto at = static_cast<std::size_t>(index >= 0 ? states + index : -1 - index);
    mark(static_cast<std::size_t>(scan.body), graph_.bodies[static_cast<std::size_t>(scan.body)].outputs[at]);
  }

  // Carries marks of a step's arguments to what they are bound to: the operands of the scan and, for a state,
  // its next value.
  void bind(std::size_t body, const Scan& scan) {
    const auto step = static_cast<std::size_t>(scan.body);
    const Body& inner = graph_.bodies[step];
    const std::size_t states = scan.inits.size(), sequences = states + scan.sequences.size();
    for (std::size_t id = 0; id < inner.nodes.size(); ++id) {
      if (inner.nodes[id].op != Op::kArg || !marks_[step][id]) continue;
      const auto arg = static_cast<std::size_t>(inner.nodes[id].index);
      if (arg < states) mark(step, inner.outputs[arg]);
      mark(body, arg < states      ? scan.inits[arg]
                 : arg < sequences ? scan.sequences[arg - states]
                                   : scan.invariants[arg - sequences]);
    }
  }

  // Finds the parameters of a body whose first values are random, also under other axes, and those that the
  // steps of its scans read.
  void find_random(std::size_t body) {
    const auto& nodes = graph_.bodies[body].nodes;
    for (std::size_t id = 0; id < nodes.size(); ++id) {
      const Node& n = nodes[id];
      if (n.op == Op::kParam)
        random_[body][id] =
            graph_.params[static_cast<std::size_t>(n.index)].init.kind != Init::Kind::kConstant;
      if (info(n.op).kind == Kind::kAxes)
        random_[body][id] = random_[body][static_cast<std::size_t>(n.in[0])];
      if (n.op != Op::kScan) continue;
      const Scan& scan = graph_.scans[static_cast<std::size_t>(n.index)];
      const auto step = static_cast<std::size_t>(scan.body);
      const auto first = static_cast<std::int32_t>(scan.inits.size() + scan.sequences.size());
      const auto& inner = graph_.bodies[step].nodes;
      for (std::size_t arg = 0; arg < inner.size(); ++arg)
        if (inner[arg].op == Op::kArg && inner[arg].index >= first)
          random_[step][arg] = random_[body][static_cast<std::size_t>(
              scan.invariants[static_cast<std::size_t>(inner[arg].index - first)])];
    }
  }

  // Returns true for a sum or product with such a parameter.
  [[nodiscard]] bool is_mixed(std::size_t body, const Node& n) const {
    if (n.op != Op::kAdd && n.op != Op::kMul && n.op != Op::kDot) return false;
    return random_[body][static_cast<std::size_t>(n.in[0])] ||
           random_[body][static_cast<std::size_t>(n.in[1])];
  }

  const Graph& graph_;
  std::vector<std::vector<bool>> marks_, random_;
  bool grown_ = true;  // marks were added that the last sweeps may not have carried on
};

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
  const Deciding decides(graph);
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
