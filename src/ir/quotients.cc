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

// The distribution of a node's values over random first parameters. kGeneric: the probability of any number
// is 0. kGenericOrZero: that of any number but 0 is 0. kAny: nothing is known.
enum class Spread : std::uint8_t { kAny, kGenericOrZero, kGeneric };

// The part of a node's value that decides something: nothing, whether it is 0, or all of it.
enum class Decides : std::uint8_t { kNothing, kZero, kValue };

bool is_odd(Op op) { return op == Op::kTanh || op == Op::kSin || op == Op::kErf; }

// Returns true if `op` jumps at some value of its operands.
bool jumps(Op op) {
  return op == Op::kFloor || op == Op::kLess || op == Op::kTopK || op == Op::kMax || op == Op::kMaxOver;
}

// Returns true if the op is not defined below 0.
bool ends_at_zero(const Node& n) {
  return n.op == Op::kSqrt || n.op == Op::kLog || n.op == Op::kPower ||
         (n.op == Op::kPow && n.value != std::floor(n.value));
}

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

// Finds the nodes whose exact value may decide something.
class Deciding {
 public:
  explicit Deciding(const Graph& graph) : graph_(graph) {
    for (const Body& body : graph.bodies) {
      spread_.emplace_back(body.nodes.size(), Spread::kAny);
      decides_.emplace_back(body.nodes.size(), Decides::kNothing);
    }
    spread_of_steps_first(0);
    while (std::exchange(grown_, false))
      for (std::size_t body = 0; body < decides_.size(); ++body) sweep(body);
  }

  [[nodiscard]] bool operator()(std::size_t body, NodeId id) const {
    return decides_[body][index(id)] == Decides::kValue;
  }

 private:
  static std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }
  [[nodiscard]] const Scan& scan_of(const Node& n) const { return graph_.scans[index(n.index)]; }

  // ---- Spread, from the operands to the result ----

  // Sets the spread of the nodes of a body, and of the steps of its scans where they begin.
  void spread_of_steps_first(std::size_t body) {
    const auto& nodes = graph_.bodies[body].nodes;
    for (std::size_t id = 0; id < nodes.size(); ++id) {
      const Node& n = nodes[id];
      if (n.op == Op::kScan) {
        enter(body, scan_of(n));
      } else if (n.op == Op::kScanOut) {
        const Scan& scan = scan_of(nodes[index(n.in[0])]);
        spread_[body][id] = spread_[index(scan.body)][index(result_of(scan, n.index))];
      } else if (n.op != Op::kArg) {
        spread_[body][id] = spread_of(body, n);
      }
    }
  }
  void enter(std::size_t body, const Scan& scan) {
    const auto step = index(scan.body);
    const auto& nodes = graph_.bodies[step].nodes;
    const std::size_t states = scan.inits.size(), sequences = states + scan.sequences.size();
    for (std::size_t id = 0; id < nodes.size(); ++id) {
      const auto arg = index(nodes[id].index);
      if (nodes[id].op != Op::kArg || arg < states) continue;  // A state may be anything.
      spread_[step][id] =
          spread_[body]
                 [index(arg < sequences ? scan.sequences[arg - states] : scan.invariants[arg - sequences])];
    }
    spread_of_steps_first(step);
  }

  [[nodiscard]] Spread spread_of(std::size_t body, const Node& n) const {
    const auto of = [&](int i) { return spread_[body][index(n.in[i])]; };
    // A parameter that begins as a constant is random once it is trained.
    const auto is_constant = [&](int i) {
      const Node* in = &graph_.node(static_cast<int>(body), n.in[i]);
      while (info(in->op).kind == Kind::kAxes && in->op != Op::kPad)
        in = &graph_.node(static_cast<int>(body), in->in[0]);
      const bool is_param =
          in->op == Op::kParam && graph_.params[index(in->index)].init.kind == Init::Kind::kConstant;
      return is_param ? graph_.params[index(in->index)].init.a != 0 : in->op == Op::kConst && in->value != 0;
    };
    switch (n.op) {
      case Op::kParam: {
        const Init& init = graph_.params[index(n.index)].init;
        if (init.kind != Init::Kind::kConstant) return Spread::kGeneric;
        return init.a == 0 ? Spread::kGenericOrZero : Spread::kAny;
      }
      case Op::kInput:
        return Spread::kGeneric;
      case Op::kAdd:
        return std::max(of(0), of(1)) == Spread::kGeneric ? Spread::kGeneric : Spread::kAny;
      case Op::kMul:
        if (is_constant(0)) return of(1);
        if (is_constant(1)) return of(0);
        [[fallthrough]];
      case Op::kDot:
        if (std::min(of(0), of(1)) == Spread::kGeneric) return Spread::kGeneric;
        return std::max(of(0), of(1)) == Spread::kAny ? Spread::kAny : Spread::kGenericOrZero;
      case Op::kDiv:
        return is_constant(1) ? of(0) : Spread::kAny;  // x / x is 1
      case Op::kWhere:
        return std::min(of(1), of(2));
      case Op::kLookup:
      case Op::kSum:
      case Op::kMaxOver:
      case Op::kDetach:
      case Op::kPast:
        return of(0);
      case Op::kShift:
      case Op::kPad:
        return std::min(of(0), Spread::kGenericOrZero);
      case Op::kMax:
        return std::min(of(0), of(1)) == Spread::kGeneric ? Spread::kGeneric : Spread::kAny;
      case Op::kFloor:
      case Op::kLess:
      case Op::kTopK:
      case Op::kPower:  // x ** 0 is 1
        return Spread::kAny;
      default:
        break;
    }
    const Kind kind = info(n.op).kind;
    if (kind == Kind::kAxes || is_odd(n.op)) return of(0);
    return kind == Kind::kPointwise && of(0) == Spread::kGeneric ? Spread::kGeneric : Spread::kAny;
  }

  // ---- Decisions, from the results to the operands ----

  void mark(std::size_t body, NodeId id, Decides what) {
    if (id < 0) return;
    const Spread spread = spread_[body][index(id)];
    if (spread == Spread::kGeneric) return;  // A random value is at no threshold.
    if (spread == Spread::kGenericOrZero) what = std::min(what, Decides::kZero);
    if (decides_[body][index(id)] >= what) return;
    decides_[body][index(id)] = what;
    grown_ = true;
  }

  // Marks operands of the nodes of a body, from the last node to the first.
  void sweep(std::size_t body) {
    const auto& nodes = graph_.bodies[body].nodes;
    for (auto id = static_cast<NodeId>(nodes.size()); id-- > 0;) {
      const Node& n = nodes[index(id)];
      if (n.op == Op::kScan) bind(body, scan_of(n));
      if (n.op == Op::kWhere) mark(body, n.in[0], Decides::kValue);
      if (n.op == Op::kLookup) mark(body, n.in[1], Decides::kValue);
      const bool decides =
          jumps(n.op) || (ends_at_zero(n) && sign_of(graph_.bodies[body], n.in[0]) != Sign::kPositive);
      if (decides)
        for (const NodeId in : n.in) mark(body, in, Decides::kValue);
      const Spread spread = spread_[body][index(id)];
      const Decides what = decides_[body][index(id)];
      if (what == Decides::kNothing) continue;
      if (n.op == Op::kScanOut) {
        const Scan& scan = scan_of(nodes[index(n.in[0])]);
        mark(index(scan.body), result_of(scan, n.index), what);
        continue;
      }
      // A value of random signs is 0 only where all that it adds up is 0.
      const bool adds =
          n.op == Op::kAdd || ((n.op == Op::kDot || n.op == Op::kSum) && spread == Spread::kAny);
      const bool keeps_zero = n.op == Op::kMul || n.op == Op::kDiv || n.op == Op::kDot || n.op == Op::kSum ||
                              n.op == Op::kWhere || n.op == Op::kDetach || n.op == Op::kShift ||
                              n.op == Op::kPast || n.op == Op::kLookup || n.op == Op::kMaxOver ||
                              is_odd(n.op) || info(n.op).kind == Kind::kAxes;
      for (const NodeId in : n.in) mark(body, in, adds || !keeps_zero ? Decides::kValue : what);
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
      const Decides what = decides_[step][id];
      if (inner.nodes[id].op != Op::kArg || what == Decides::kNothing) continue;
      const auto arg = index(inner.nodes[id].index);
      if (arg < states) mark(step, inner.outputs[arg], what);
      mark(body,
           arg < states      ? scan.inits[arg]
           : arg < sequences ? scan.sequences[arg - states]
                             : scan.invariants[arg - sequences],
           what);
    }
  }

  const Graph& graph_;
  std::vector<std::vector<Spread>> spread_;
  std::vector<std::vector<Decides>> decides_;
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
