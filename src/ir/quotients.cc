#include "ir/quotients.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "ir/builder.h"
#include "ir/op.h"

namespace gabbro::ir {

namespace {

// The sign that follows from the ops of a node.
enum class Sign : std::uint8_t { kAny, kNotNegative, kPositive };

Sign sign_of(const Body& body, NodeId id, int depth = 0) {
  constexpr int kMaxDepth = 10;
  if (depth > kMaxDepth) return Sign::kAny;
  const Node& n = body.nodes[static_cast<std::size_t>(id)];
  const auto of = [&](int i) { return sign_of(body, n.in[i], depth + 1); };
  switch (n.op) {
    case Op::kConst:
      return n.value > 0 ? Sign::kPositive : n.value == 0 ? Sign::kNotNegative : Sign::kAny;
    case Op::kExp:
    case Op::kSigmoid:
    case Op::kSoftplus:
      return Sign::kPositive;
    case Op::kLess:
      return Sign::kNotNegative;
    case Op::kAdd: {
      const Sign a = of(0), b = of(1);
      return a == Sign::kAny || b == Sign::kAny ? Sign::kAny : std::max(a, b);
    }
    case Op::kMax:
      return std::max(of(0), of(1));
    case Op::kMul:
    case Op::kDot:
      if (n.in[0] == n.in[1]) return Sign::kNotNegative;
      [[fallthrough]];
    case Op::kDiv:
      return std::min(of(0), of(1));
    case Op::kRecip:
    case Op::kSqrt:
    case Op::kDetach:
    case Op::kSum:
    case Op::kMaxOver:
    case Op::kPast:
      return of(0);
    case Op::kShift:
    case Op::kPad:
      return std::min(of(0), Sign::kNotNegative);
    default:
      return info(n.op).kind == Kind::kAxes ? of(0) : Sign::kAny;
  }
}

// Calls `visit` with the operands of `n` at whose values `n` may jump.
template <class Visit>
void for_each_decisive(const Body& body, const Node& n, const Visit& visit) {
  const auto unless_positive = [&](int i) {
    if (sign_of(body, n.in[i]) != Sign::kPositive) visit(n.in[i]);
  };
  switch (n.op) {
    case Op::kFloor:
    case Op::kLess:
    case Op::kTopK:
      for (const NodeId in : n.in) visit(in);
      return;
    case Op::kWhere:
      return visit(n.in[0]);
    case Op::kLookup:
      return visit(n.in[1]);
    case Op::kDiv:
      return unless_positive(1);
    case Op::kSqrt:
    case Op::kLog:
    case Op::kRecip:
      return unless_positive(0);
    case Op::kPow:
      if (n.value < 0 || n.value != std::floor(n.value)) unless_positive(0);
      return;
    case Op::kPower:
      if (sign_of(body, n.in[0]) == Sign::kPositive) return;
      visit(n.in[0]), visit(n.in[1]);
      return;
    default:
      return;
  }
}

// Finds the nodes whose exact value may decide something: all that a jump depends on.
class Deciding {
 public:
  explicit Deciding(const Graph& graph) : graph_(graph) {
    for (const Body& body : graph.bodies) decides_.emplace_back(body.nodes.size(), false);
    while (std::exchange(grown_, false))
      for (std::size_t body = 0; body < decides_.size(); ++body) sweep(body);
  }

  [[nodiscard]] bool operator()(std::size_t body, NodeId id) const { return decides_[body][index(id)]; }

 private:
  static std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }
  [[nodiscard]] const Scan& scan_of(const Node& n) const { return graph_.scans[index(n.index)]; }

  void mark(std::size_t body, NodeId id) {
    if (id < 0 || decides_[body][index(id)]) return;
    decides_[body][index(id)] = true;
    grown_ = true;
  }

  // Marks operands of the nodes of a body, from the last node to the first.
  void sweep(std::size_t body) {
    const auto& nodes = graph_.bodies[body].nodes;
    for (auto id = static_cast<NodeId>(nodes.size()); id-- > 0;) {
      const Node& n = nodes[index(id)];
      if (n.op == Op::kScan) bind(body, scan_of(n));
      for_each_decisive(graph_.bodies[body], n, [&](NodeId in) { mark(body, in); });
      if (!decides_[body][index(id)] || n.op == Op::kScan) continue;
      if (n.op == Op::kScanOut) {
        const Scan& scan = scan_of(nodes[index(n.in[0])]);
        mark(index(scan.body), result_of(scan, n.index));
      } else {
        for (const NodeId in : n.in) mark(body, in);
      }
    }
  }

  // Returns the node of the step that result `index` of a scan reads: a value of each step, or (below 0) a
  // state.
  [[nodiscard]] NodeId result_of(const Scan& scan, int index) const {
    const int states = static_cast<int>(scan.inits.size());
    return graph_.bodies[static_cast<std::size_t>(scan.body)]
        .outputs[static_cast<std::size_t>(index >= 0 ? states + index : -1 - index)];
  }

  // Carries marks of a step's arguments to what they are bound to: the operands of the scan and, for a state,
  // its next value.
  void bind(std::size_t body, const Scan& scan) {
    const auto step = index(scan.body);
    const Body& inner = graph_.bodies[step];
    const std::size_t states = scan.inits.size(), sequences = states + scan.sequences.size();
    for (std::size_t id = 0; id < inner.nodes.size(); ++id) {
      if (inner.nodes[id].op != Op::kArg || !decides_[step][id]) continue;
      const auto arg = index(inner.nodes[id].index);
      if (arg < states) mark(step, inner.outputs[arg]);
      mark(body, arg < states      ? scan.inits[arg]
                 : arg < sequences ? scan.sequences[arg - states]
                                   : scan.invariants[arg - sequences]);
    }
  }

  const Graph& graph_;
  std::vector<std::vector<bool>> decides_;
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
