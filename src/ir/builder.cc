#include "ir/builder.h"

#include "base/hash.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace gabbro::ir {

namespace {

std::uint64_t key_of(const Node& n) {
  std::uint64_t h = mix(static_cast<std::uint64_t>(n.op), std::bit_cast<std::uint64_t>(n.value));
  for (NodeId id : n.in) h = mix(h, static_cast<std::uint64_t>(id + 1));
  for (AxisId a : n.axes) h = mix(h, a);
  h = mix(h, static_cast<std::uint64_t>(n.index));
  return mix(h, static_cast<std::uint64_t>(n.amount));
}

bool same(const Node& a, const Node& b) {
  return a.op == b.op && a.in == b.in && a.axes == b.axes && a.index == b.index && a.amount == b.amount &&
         std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value);
}

// Returns true if `v` is beyond the largest float32, the type that training computes in.
bool overflows(double v) { return std::abs(v) > std::numeric_limits<float>::max(); }

// Returns true if `v` is zero or a normal float32, so that training can compute with it.
bool is_zero_or_normal(double v) {
  return v == 0 || (std::abs(v) >= std::numeric_limits<float>::min() && !overflows(v));
}

bool commutes(Op op) { return op == Op::kAdd || op == Op::kMul || op == Op::kDot; }

}  // namespace

bool Builder::is_plain_constant(NodeId id) const { return node(id).op == Op::kConst && node(id).index < 0; }
bool Builder::is_constant(NodeId id, double value) const {
  return is_plain_constant(id) && node(id).value == value;
}

NodeId Builder::intern(Node n) {
  const std::uint64_t key = key_of(n);
  for (std::size_t slot = key; !seen_.empty(); ++slot) {
    const auto& [known, id] = seen_[slot & (seen_.size() - 1)];
    if (id < 0) break;
    if (known == key && same(node(id), n)) return id;
  }
  n.line = line_;
  auto& nodes = graph_.bodies[body_].nodes;
  nodes.push_back(n);
  const auto id = static_cast<NodeId>(nodes.size() - 1);
  insert(key, id);
  return id;
}

void Builder::insert(std::uint64_t key, NodeId id) {
  constexpr std::size_t kInitialCapacity = 64;
  if (2 * ++seen_count_ > seen_.size()) {  // the table is at most half full
    auto old = std::exchange(seen_, {});
    seen_.assign(std::max(kInitialCapacity, 2 * old.size()), {0, -1});
    seen_count_ = 1;
    for (const auto& [known, node] : old)
      if (node >= 0) insert(known, node);
  }
  std::size_t slot = key;
  while (seen_[slot & (seen_.size() - 1)].second >= 0) ++slot;
  seen_[slot & (seen_.size() - 1)] = {key, id};
}

Result<NodeId> Builder::try_add(Node n) {
  const OpInfo& op = info(n.op);
  auto type = op.infer(graph_, graph_.bodies[body_], n);
  if (!type) return tl::unexpected(type.error());
  n.type = *type;
  if (n.op == Op::kSum || n.op == Op::kDot || n.op == Op::kMaxOver || n.op == Op::kBroadcast)
    std::sort(n.axes.begin(), n.axes.end());
  if (commutes(n.op) && n.in[0] > n.in[1]) std::swap(n.in[0], n.in[1]);
  if (const auto simpler = simplify(n)) return *simpler;
  return intern(n);
}

NodeId Builder::add(Node n) {
  auto id = try_add(n);
  if (!id) std::fprintf(stderr, "%s: %s\n", std::string(info(n.op).name).c_str(), id.error().message.c_str());
  GABBRO_CHECK(id.has_value());
  return *id;
}

// Applies rules that hold in real arithmetic; 0 * x is 0 even if x is not finite. Returns nothing if no rule
// applies.
std::optional<NodeId> Builder::simplify(const Node& n) {
  const auto use = [](NodeId id) { return std::optional<NodeId>(id); };
  const NodeId a = n.in[0], b = n.in[1];
  const OpInfo& op = info(n.op);
  // Returns the node that computes an operand; a pinned operand is opaque.
  const auto inside = [&](NodeId id) { return is_pinned(id) ? Node{.op = Op::kArg} : node(id); };
  if (op.scalar && n.op != Op::kDetach) {
    bool constants = true, in_range = true;
    for (int i = 0; i < op.arity; ++i) {
      constants = constants && is_plain_constant(n.in[i]);
      in_range = in_range && !overflows(node(n.in[i]).value);
    }
    if (constants) {
      const auto value = [&](int i) { return i < op.arity ? node(n.in[i]).value : 0.0; };
      const double folded = op.scalar(value(0), value(1), value(2), n.value);
      if (!in_range || !overflows(folded)) return use(constant(folded));
      overflow_ = folded;
    }
  }
  switch (n.op) {
    case Op::kAdd:
      if (is_constant(a, 0)) return use(b);
      if (is_constant(b, 0)) return use(a);
      break;
    case Op::kMul:
      for (const auto& [c, x] : {std::pair{a, b}, std::pair{b, a}}) {
        if (!is_plain_constant(c)) continue;
        if (is_constant(c, 1)) return use(x);
        if (is_constant(c, 0)) return use(fit(c, n.type));
        const Node inner = inside(x);
        if (inner.op != Op::kMul) continue;
        for (int i = 0; i < 2; ++i) {  // c * (d * y) = (c d) * y
          const NodeId d = inner.in[i];
          if (!is_plain_constant(d)) continue;
          const double factor = node(c).value * node(d).value;
          if (is_zero_or_normal(factor)) return use(times(constant(factor), inner.in[1 - i]));
          if (std::isfinite(factor) && overflows(factor)) overflow_ = factor;
        }
      }
      break;
    case Op::kMax:
      if (a == b) return use(a);
      break;
    case Op::kWhere:
      if (n.in[1] == n.in[2] && type(n.in[1]) == n.type) return use(n.in[1]);
      break;
    case Op::kDiv:
      if (is_constant(a, 0)) return use(fit(a, n.type));
      if (is_constant(a, 1)) return use(unary(Op::kRecip, b));
      if (is_plain_constant(b)) {
        const double inverse = 1 / node(b).value;
        if (is_power_of_two(inverse) && is_zero_or_normal(inverse)) return use(times(constant(inverse), a));
        if (overflows(inverse)) overflow_ = inverse;
      }
      break;
    case Op::kRecip:
      if (inside(a).op == Op::kRecip) return use(node(a).in[0]);
      break;
    case Op::kDetach:
      if (inside(a).op == Op::kDetach || node(a).op == Op::kConst) return use(a);
      break;
    case Op::kPow:
      if (n.value == 0) return use(fit(constant(1), n.type));
      if (n.value == 1) return use(a);
      if (n.value == 2) return use(times(a, a));
      if (n.value == -1) return use(unary(Op::kRecip, a));
      if (n.value == 0.5) return use(unary(Op::kSqrt, a));
      if (n.value == -0.5) return use(unary(Op::kRecip, unary(Op::kSqrt, a)));
      break;
    case Op::kSum: {
      if (n.axes.empty()) return use(a);
      const Node inner = inside(a);
      if (inner.op == Op::kSum && inner.axes.size() + n.axes.size() <= kMaxRank) {
        AxisList axes = inner.axes;
        for (AxisId axis : n.axes) axes.push_back(axis);
        return use(sum(inner.in[0], axes));
      }
      if (inner.op == Op::kMul) {
        for (int i = 0; i < 2; ++i)
          if (node(inner.in[i]).op == Op::kConst && type(inner.in[1 - i]) == inner.type)
            return use(times(inner.in[i], sum(inner.in[1 - i], n.axes)));
        return use(dot(inner.in[0], inner.in[1], n.axes));
      }
      break;
    }
    case Op::kDot:
      if (n.axes.empty()) return use(times(a, b));
      break;
    case Op::kMaxOver:
    case Op::kBroadcast:
      if (n.axes.empty() || (n.op == Op::kBroadcast && n.type == type(a))) return use(a);
      break;
    case Op::kRename: {
      if (n.axes[0] == n.axes[1]) return use(a);
      const Node inner = inside(a);
      if (inner.op == Op::kRename && inner.axes[1] == n.axes[0]) {
        if (inner.axes[0] == n.axes[1]) return use(inner.in[0]);
        return use(add({.op = Op::kRename, .in = {inner.in[0], -1, -1}, .axes = {inner.axes[0], n.axes[1]}}));
      }
      break;
    }
    case Op::kShift: {
      if (n.amount == 0) return use(a);
      const Node inner = inside(a);
      // Shifts in opposite directions are not joined: the first sets positions to zero.
      constexpr std::int64_t kFarthest = 1 << 30;  // `amount` has 32 bits
      const std::int64_t both = std::int64_t{inner.amount} + n.amount;
      if (inner.op == Op::kShift && (inner.amount > 0) == (n.amount > 0) && std::abs(both) <= kFarthest)
        return use(add({.op = Op::kShift, .in = {inner.in[0], -1, -1}, .amount = inner.amount + n.amount}));
      break;
    }
    default:
      break;
  }
  return std::nullopt;
}

NodeId Builder::constant(double value, std::int32_t sym) {
  return intern({.op = Op::kConst, .value = value, .index = sym});
}
NodeId Builder::param(int index) { return add({.op = Op::kParam, .index = index}); }
NodeId Builder::arg(int index, const Type& type) {
  return intern({.op = Op::kArg, .type = type, .index = index});
}
NodeId Builder::unary(Op op, NodeId x) { return add({.op = op, .in = {x, -1, -1}}); }
NodeId Builder::plus(NodeId a, NodeId b) { return add({.op = Op::kAdd, .in = {a, b, -1}}); }
NodeId Builder::times(NodeId a, NodeId b) { return add({.op = Op::kMul, .in = {a, b, -1}}); }
NodeId Builder::over(NodeId a, NodeId b) { return add({.op = Op::kDiv, .in = {a, b, -1}}); }
NodeId Builder::less(NodeId a, NodeId b) { return add({.op = Op::kLess, .in = {a, b, -1}}); }
NodeId Builder::where(NodeId condition, NodeId a, NodeId b) {
  return add({.op = Op::kWhere, .in = {condition, a, b}});
}
NodeId Builder::power(NodeId x, double exponent) {
  return add({.op = Op::kPow, .in = {x, -1, -1}, .value = exponent});
}
NodeId Builder::power_of(NodeId x, NodeId exponent) {
  return add({.op = Op::kPower, .in = {x, exponent, -1}});
}
NodeId Builder::sum(NodeId x, const AxisList& over) {
  return add({.op = Op::kSum, .in = {x, -1, -1}, .axes = over});
}
NodeId Builder::dot(NodeId a, NodeId b, const AxisList& over) {
  return add({.op = Op::kDot, .in = {a, b, -1}, .axes = over});
}

NodeId Builder::fit(NodeId x, Type want) {
  AxisList surplus, missing;
  for (AxisId axis : type(x).axes)
    if (!want.has(axis)) surplus.push_back(axis);
  x = sum(x, surplus);
  for (AxisId axis : want.axes)
    if (!type(x).has(axis)) missing.push_back(axis);
  if (missing.empty()) return x;
  return add({.op = Op::kBroadcast,
              .in = {x, -1, -1},
              .axes = missing,
              .amount = missing.contains(kPast) ? want.window : 0});
}

bool is_power_of_two(double value) {
  int exponent = 0;
  return std::abs(std::frexp(value, &exponent)) == 0.5;
}

NodeId copy_node(Builder& b, Node node, const std::vector<NodeId>& map) {
  if (node.op == Op::kScan) {
    Scan& scan = b.graph().scans[static_cast<std::size_t>(node.index)];
    for (auto* list : {&scan.inits, &scan.sequences, &scan.invariants})
      for (NodeId& in : *list) in = map[static_cast<std::size_t>(in)];
  }
  if (node.op == Op::kAffine)
    for (NodeId& in : b.graph().affines[static_cast<std::size_t>(node.index)].operands)
      in = map[static_cast<std::size_t>(in)];
  for (NodeId& in : node.in)
    if (in >= 0) in = map[static_cast<std::size_t>(in)];
  return b.add(node);
}

}  // namespace gabbro::ir
