#include "ir/decisions.h"

#include <algorithm>
#include <cmath>
#include <utility>

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
void for_each_decisive(const Body& body, const Node& n, Jumps jumps, const Visit& visit) {
  const auto unless_positive = [&](int i) {
    if (jumps == Jumps::kStepsAndPoles && sign_of(body, n.in[i]) != Sign::kPositive) visit(n.in[i]);
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

std::size_t at(NodeId id) { return static_cast<std::size_t>(id); }

const Scan& scan_of(const Graph& graph, const Node& n) { return graph.scans[at(n.index)]; }

// Returns the node of the step that result `index` of a scan reads: a value of each step, or (below 0) a
// state.
NodeId result_of(const Graph& graph, const Scan& scan, int index) {
  const int states = static_cast<int>(scan.inits.size());
  return graph.bodies[at(scan.body)].outputs[at(index >= 0 ? states + index : -1 - index)];
}

}  // namespace

Decisions::Decisions(const Graph& graph, Jumps jumps) : graph_(graph), jumps_(jumps) {
  for (const Body& body : graph.bodies) decides_.emplace_back(body.nodes.size(), false);
  while (std::exchange(grown_, false))
    for (std::size_t body = 0; body < decides_.size(); ++body) sweep(body);
}

void Decisions::mark(std::size_t body, NodeId id) {
  if (id < 0 || decides_[body][at(id)]) return;
  decides_[body][at(id)] = true;
  grown_ = true;
}

// Marks operands of the nodes of a body, from the last node to the first.
void Decisions::sweep(std::size_t body) {
  const auto& nodes = graph_.bodies[body].nodes;
  for (auto id = static_cast<NodeId>(nodes.size()); id-- > 0;) {
    const Node& n = nodes[at(id)];
    if (n.op == Op::kScan) bind(body, scan_of(graph_, n));
    for_each_decisive(graph_.bodies[body], n, jumps_, [&](NodeId in) { mark(body, in); });
    if (!decides_[body][at(id)] || n.op == Op::kScan) continue;
    if (n.op == Op::kScanOut && nodes[at(n.in[0])].op == Op::kScan) {
      const Scan& scan = scan_of(graph_, nodes[at(n.in[0])]);
      mark(at(scan.body), result_of(graph_, scan, n.index));
    } else {
      for_each_operand(graph_, n, [&](NodeId in) { mark(body, in); });
    }
  }
}

// Carries marks of a step's arguments to what they are bound to: the operands of the scan and, for a state,
// its next value.
void Decisions::bind(std::size_t body, const Scan& scan) {
  const auto step = at(scan.body);
  const Body& inner = graph_.bodies[step];
  const std::size_t states = scan.inits.size(), sequences = states + scan.sequences.size();
  for (std::size_t id = 0; id < inner.nodes.size(); ++id) {
    if (inner.nodes[id].op != Op::kArg || !decides_[step][id]) continue;
    const auto arg = at(inner.nodes[id].index);
    if (arg < states) mark(step, inner.outputs[arg]);
    mark(body, arg < states      ? scan.inits[arg]
               : arg < sequences ? scan.sequences[arg - states]
                                 : scan.invariants[arg - sequences]);
  }
}

}  // namespace gabbro::ir
