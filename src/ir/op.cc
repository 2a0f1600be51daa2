// Defines the op table and the shape, reach and gradient rules that its rows refer to.
#include "ir/op.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <numbers>

#include "ir/builder.h"

namespace gabbro::ir {

Reach compose(Reach inner, Reach outer) {
  if (inner.empty() || outer.empty()) return {};
  const auto clamp = [](std::int64_t v) { return std::min(std::max(v, -Reach::kFar), Reach::kFar); };
  const auto add = [&](std::int64_t a, std::int64_t b) {
    if (std::abs(a) == Reach::kFar) return a;
    if (std::abs(b) == Reach::kFar) return b;
    return clamp(a + b);
  };
  return {add(inner.first, outer.first), add(inner.last, outer.last)};
}

Reach join(Reach a, Reach b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.first, b.first), std::max(a.last, b.last)};
}

namespace {

// ---- Shape rules ----

const Type& operand(const Body& body, const Node& n, int i) { return body.nodes[n.in[i]].type; }

Result<Type> fixed(const Graph&, const Body&, const Node& n) { return n.type; }
Result<Type> scalar_type(const Graph&, const Body&, const Node&) { return Type{}; }
Result<Type> param_type(const Graph& g, const Body&, const Node& n) {
  return Type{g.params[n.index].axes, 0};
}
Result<Type> time_type(const Graph&, const Body&, const Node&) { return Type{{kTime}, 0}; }
Result<Type> lag_type(const Graph&, const Body&, const Node& n) { return Type{{kTime, kPast}, n.amount}; }
Result<Type> iota_type(const Graph&, const Body&, const Node& n) { return Type{n.axes, 0}; }

Result<Type> unify(const Graph& g, const Type& a, const Type& b) {
  Type out = a;
  for (AxisId axis : b.axes) {
    if (out.has(axis)) continue;
    if (out.axes.full())
      return fail("shape", fmt::format("a value has more than {} axes: {} with {}", kMaxRank, g.type_name(a),
                                       g.type_name(b)));
    out.add(axis);
  }
  if (a.past() && b.past() && a.window != b.window)
    return fail("window",
                fmt::format("values with different windows of past positions are combined: {} and {}",
                            g.type_name(a), g.type_name(b)),
                "open both with the same window, or reduce one over s first");
  out.window = std::max(a.window, b.window);
  return out;
}

Result<Type> pointwise(const Graph& g, const Body& body, const Node& n) {
  Type out = operand(body, n, 0);
  for (int i = 1; i < 3 && n.in[i] >= 0; ++i) {
    GABBRO_TRY(next, unify(g, out, operand(body, n, i)));
    out = next;
  }
  return out;
}

Result<Type> drop(const Graph& g, Type type, const AxisList& axes) {
  const Type before = type;
  for (AxisId axis : axes) {
    if (!type.has(axis))
      return fail("shape",
                  fmt::format("cannot reduce over {}: the value {} has no such axis", g.axes[axis].name,
                              g.type_name(before)),
                  "reduce over an axis that the value has");
    type.remove(axis);
  }
  if (type.past() && !type.time())
    return fail("shape", "t cannot be reduced before s", "reduce over s first");
  return type;
}

Result<Type> reduce(const Graph& g, const Body& body, const Node& n) {
  return drop(g, operand(body, n, 0), n.axes);
}

Result<Type> first_type(const Graph&, const Body& body, const Node& n) { return operand(body, n, 0); }

Result<Type> softmax_type(const Graph& g, const Body& body, const Node& n) {
  if (const auto rest = drop(g, operand(body, n, 0), n.axes); !rest) return rest;
  return pointwise(g, body, n);
}

Result<Type> dot_type(const Graph& g, const Body& body, const Node& n) {
  GABBRO_TRY(both, unify(g, operand(body, n, 0), operand(body, n, 1)));
  return drop(g, both, n.axes);
}

Result<Type> topk_type(const Graph& g, const Body& body, const Node& n) {
  const Type& x = operand(body, n, 0);
  if (const auto rest = drop(g, x, n.axes); !rest) return rest;
  if (n.amount < 1 || n.amount > g.axes[n.axes[0]].size)
    return fail("range", fmt::format("top_k cannot keep {} of {}", n.amount, g.axis_names(n.axes)),
                "keep between 1 and the size of the axis");
  return x;
}

Result<Type> broadcast_type(const Graph& g, const Body& body, const Node& n) {
  Type out = operand(body, n, 0);
  GABBRO_TRY(all, unify(g, out, Type{n.axes, n.amount}));
  return all;
}

// Replaces one axis by another.
Result<Type> replace(const Graph& g, Type type, AxisId from, AxisId to) {
  if (!type.has(from))
    return fail("shape", fmt::format("no axis {} in {}", g.axes[from].name, g.type_name(type)));
  if (from == to) return type;
  if (type.has(to))
    return fail("shape", fmt::format("axis {} is already in {}", g.axes[to].name, g.type_name(type)),
                "choose another axis");
  type.remove(from);
  type.add(to);
  return type;
}

Result<Type> rename_type(const Graph& g, const Body& body, const Node& n) {
  const Axis &from = g.axes[n.axes[0]], &to = g.axes[n.axes[1]];
  if (from.size != to.size)
    return fail("shape", fmt::format("rename {}={} to {}={}: the sizes differ", from.name, from.size, to.name,
                                     to.size));
  return replace(g, operand(body, n, 0), n.axes[0], n.axes[1]);
}

Result<Type> regroup(const Graph& g, Type type, const AxisList& from, const AxisList& to) {
  const Type before = type;
  if (elements(g, from) != elements(g, to))
    return fail("shape",
                fmt::format("{} holds {} elements, {} holds {}", g.axis_names(from), elements(g, from),
                            g.axis_names(to), elements(g, to)),
                "the products of the sizes must agree");
  for (AxisId axis : from) {
    if (!type.has(axis))
      return fail("shape", fmt::format("no axis {} in {}", g.axes[axis].name, g.type_name(before)));
    type.remove(axis);
  }
  for (AxisId axis : to) {
    if (type.has(axis))
      return fail("shape", fmt::format("axis {} is already in {}", g.axes[axis].name, g.type_name(before)),
                  "choose another axis");
    if (type.axes.full()) return fail("shape", fmt::format("a value has more than {} axes", kMaxRank));
    type.add(axis);
  }
  return type;
}

Result<Type> split_type(const Graph& g, const Body& body, const Node& n) {
  AxisList to;
  for (int i = 1; i < n.axes.size(); ++i) to.push_back(n.axes[i]);
  return regroup(g, operand(body, n, 0), {n.axes[0]}, to);
}

Result<Type> merge_type(const Graph& g, const Body& body, const Node& n) {
  AxisList from = n.axes;
  const AxisId to = from[from.size() - 1];
  from.erase(from.size() - 1);
  return regroup(g, operand(body, n, 0), from, {to});
}

// Checks the offset of a slice or pad: a slice reads the small axis from the large one, a pad writes the
// small axis into the large one.
Result<Type> slice_or_pad_type(const Graph& g, const Type& type, const Node& n, const Axis& large,
                               const Axis& small) {
  if (n.amount < 0 || n.amount + small.size > large.size)
    return fail("range", fmt::format("elements {} to {} (exclusive) are outside {}={}", n.amount,
                                     n.amount + small.size, large.name, large.size));
  return replace(g, type, n.axes[0], n.axes[1]);
}
Result<Type> slice_type(const Graph& g, const Body& body, const Node& n) {
  return slice_or_pad_type(g, operand(body, n, 0), n, g.axes[n.axes[0]], g.axes[n.axes[1]]);
}
Result<Type> pad_type(const Graph& g, const Body& body, const Node& n) {
  return slice_or_pad_type(g, operand(body, n, 0), n, g.axes[n.axes[1]], g.axes[n.axes[0]]);
}

Result<Type> lookup_type(const Graph& g, const Body& body, const Node& n) {
  const Type &table = operand(body, n, 0), &index = operand(body, n, 1);
  if (table.time())
    return fail("shape", fmt::format("a lookup table cannot vary over time: {}", g.type_name(table)));
  if (index.has(n.axes[0]))
    return fail("shape", fmt::format("the index has the looked-up axis: {}", g.type_name(index)));
  GABBRO_TRY(rest, drop(g, table, n.axes));
  // The gradient of the table is a scatter, which sums over all axes of the index: the table cannot have one.
  for (AxisId axis : index.axes)
    if (rest.has(axis))
      return fail("shape",
                  fmt::format("table and index share axis {}: {} and {}", g.axes[axis].name,
                              g.type_name(table), g.type_name(index)),
                  "rename one of them");
  return unify(g, rest, index);
}

Result<Type> scatter_type(const Graph& g, const Body& body, const Node& n) {
  Type out = operand(body, n, 0);
  for (AxisId axis : operand(body, n, 1).axes) out.remove(axis);
  if (out.axes.full())
    return fail("shape", fmt::format("a value has more than {} axes: {}", kMaxRank, g.type_name(out)));
  out.add(n.axes[0]);
  return out;
}

Result<Type> needs_time(const Graph& g, const Type& x, std::string_view what) {
  if (!x.time())
    return fail("time", fmt::format("{} needs a value that varies over time, got {}", what, g.type_name(x)),
                "parameters and constants are the same at every position");
  if (x.past())
    return fail(
        "time", fmt::format("{} cannot take a value over past positions: {}", what, g.type_name(x)),
        what == "shift"
            ? "reduce it over s first; for scores, shift what they are made of: dot(shift(q, 1), past(key), "
              "over=k) is the score of the query before, dot(q, past(shift(key, 1)), over=k) that of the "
              "key before"
            : "reduce it over s first");
  return x;
}

Result<Type> shift_type(const Graph& g, const Body& body, const Node& n) {
  return needs_time(g, operand(body, n, 0), "shift");
}

Result<Type> past_type(const Graph& g, const Body& body, const Node& n) {
  GABBRO_TRY(out, needs_time(g, operand(body, n, 0), "past"));
  if (n.amount < 1)
    return fail("range", fmt::format("a window of {} positions is too small", n.amount),
                "a window includes the position itself, so it is at least 1");
  if (out.axes.full())
    return fail("shape",
                fmt::format("a value has more than {} axes: past of {}", kMaxRank, g.type_name(out)));
  out.add(kPast);
  out.window = n.amount;
  return out;
}

Result<Type> unpast_type(const Graph& g, const Body& body, const Node& n) {
  Type out = operand(body, n, 0);
  if (!out.past()) return fail("time", fmt::format("unpast of {}", g.type_name(out)));
  out.remove(kPast);
  return out;
}

Result<Type> scan_type(const Graph& g, const Body& body, const Node& n) {
  const Scan& scan = g.scans[n.index];
  const Body& step = g.bodies[scan.body];
  for (std::size_t i = 0; i < scan.inits.size(); ++i) {
    const Type& want = body.nodes[scan.inits[i]].type;
    const Type& got = step.nodes[step.outputs[i]].type;
    if (want != got)
      return fail("shape", fmt::format("state {} of a scan is {} and becomes {}", i, g.type_name(want),
                                       g.type_name(got)));
  }
  for (NodeId id : scan.sequences)
    if (auto ok = needs_time(g, body.nodes[id].type, "scan"); !ok) return ok;
  return Type{};
}

Result<Type> scan_out_type(const Graph& g, const Body& body, const Node& n) {
  const Node& source = body.nodes[n.in[0]];
  if (source.op == Op::kAffine) return g.affines[source.index].result_type(n.index);
  const Scan& scan = g.scans[source.index];
  const Body& step = g.bodies[scan.body];
  const std::size_t states = scan.inits.size();
  if (n.index < 0) return step.nodes[step.outputs[-1 - n.index]].type;
  Type out = step.nodes[step.outputs[states + n.index]].type;
  if (out.axes.full())
    return fail("shape", fmt::format("a value has more than {} axes: {}", kMaxRank, g.type_name(out)));
  out.add(kTime);
  return out;
}

Result<Type> recur_type(const Graph& g, const Body& body, const Node& n) {
  GABBRO_TRY(out, pointwise(g, body, n));
  return needs_time(g, out, "recur");
}

Result<Type> affine_type(const Graph& g, const Body& body, const Node& n) {
  const Affine& affine = g.affines[n.index];
  const auto count = static_cast<std::int32_t>(affine.operands.size());
  if (count != affine.inputs() + (affine.adjoint ? static_cast<std::int32_t>(affine.after.size()) : 0))
    return fail("shape", fmt::format("{} operands of an affine recurrence", count));
  for (std::int32_t i = 0; i < count; ++i) {
    const Type& got = body.nodes[affine.operands[static_cast<std::size_t>(i)]].type;
    const Type want = i < affine.inputs() ? affine.operand_type(i) : affine.read_type();
    if (got != want)
      return fail("shape", fmt::format("operand {} of an affine recurrence is {} instead of {}", i,
                                       g.type_name(got), g.type_name(want)));
  }
  Type out;
  out.add(kTime);
  return out;
}

Result<Type> convolve_type(const Graph& g, const Body& body, const Node& n) {
  for (int i = 0; i < 2; ++i)
    if (auto ok = needs_time(g, operand(body, n, i), "convolve"); !ok) return ok;
  return dot_type(g, body, n);
}

// ---- Reach rules ----

Reach here(const Graph&, const Node&) { return {0, 0}; }
Reach nothing(const Graph&, const Node&) { return {}; }
Reach everything(const Graph&, const Node&) { return {-Reach::kFar, Reach::kFar}; }
Reach over_time(const Graph& g, const Node& n) {
  return n.axes.contains(kTime) ? everything(g, n) : Reach{0, 0};
}
Reach shifted(const Graph&, const Node& n) { return {-n.amount, -n.amount}; }
Reach back(const Graph&, const Node& n) { return {n.amount == kAll ? -Reach::kFar : 1 - n.amount, 0}; }
Reach forth(const Graph&, const Node&) { return {0, Reach::kFar}; }
Reach scanned(const Graph& g, const Node& n) {
  return g.scans[n.index].reverse ? Reach{0, Reach::kFar} : Reach{-Reach::kFar, 0};
}
Reach recurs(const Graph&, const Node& n) {
  return n.amount == 0 ? Reach{-Reach::kFar, 0} : Reach{0, Reach::kFar};
}
Reach projected(const Graph& g, const Node& n) { return n.index < 0 ? everything(g, n) : Reach{0, 0}; }

// ---- Gradient rules: `n` is a copy of the node, because nodes move while a rule appends; `g` is the adjoint
// of its value ----

struct Rule {
  Builder& b;
  NodeId self;
  [[nodiscard]] NodeId in(int i) const { return b.node(self).in[i]; }
};

void d_add(Builder&, NodeId, NodeId g, Adjoints& out) {
  out.add(0, g);
  out.add(1, g);
}
void d_mul(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Rule r{b, self};
  out.add(0, b.times(g, r.in(1)));
  out.add(1, b.times(g, r.in(0)));
}
void d_max(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Rule r{b, self};
  const NodeId first = b.less(r.in(1), r.in(0));
  out.add(0, b.times(g, first));
  out.add(1, b.times(g, b.minus(b.constant(1), first)));
}
void d_where(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Rule r{b, self};
  out.add(1, b.where(r.in(0), g, b.constant(0)));
  out.add(2, b.where(r.in(0), b.constant(0), g));
}
void d_div(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Rule r{b, self};
  const NodeId share = b.over(g, r.in(1));
  out.add(0, share);
  out.add(1, b.scale(b.times(share, self), -1));
}
void d_recip(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  // In this order, since the square of 1 / x overflows at x = 1e-20, where the derivative may be 1.
  out.add(0, b.scale(b.times(b.times(g, self), self), -1));
}
void d_sqrt(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.scale(b.times(g, b.unary(Op::kRecip, self)), 0.5));
}
void d_pow(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  NodeId slope = b.scale(b.power(n.in[0], n.value - 1), n.value);
  // A root has no derivative at 0. An operand that underflows to 0, such as sigmoid(x), has a zero derivative
  // there itself, so the result is 0 and not infinity times 0.
  if (n.value > 0 && n.value < 1) slope = b.where(b.less(b.constant(0), n.in[0]), slope, b.constant(0));
  out.add(0, b.times(g, slope));
}
// As in PyTorch, there is no derivative by an exponent at base 0, nor by a base at exponent 0.
void d_power(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Rule r{b, self};
  const NodeId x = r.in(0), y = r.in(1), zero = b.constant(0);
  const auto is_not_zero = [&](NodeId v) { return b.plus(b.less(zero, v), b.less(v, zero)); };
  const NodeId slope = b.times(y, b.power_of(x, b.minus(y, b.constant(1))));
  out.add(0, b.times(g, b.where(is_not_zero(y), slope, zero)));
  out.add(1, b.times(g, b.where(is_not_zero(x), b.times(self, b.unary(Op::kLog, x)), zero)));
}
void d_exp(Builder& b, NodeId self, NodeId g, Adjoints& out) { out.add(0, b.times(g, self)); }
void d_log(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.times(g, b.unary(Op::kRecip, Rule{b, self}.in(0))));
}
void d_sin(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.times(g, b.unary(Op::kCos, Rule{b, self}.in(0))));
}
void d_cos(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.scale(b.times(g, b.unary(Op::kSin, Rule{b, self}.in(0))), -1));
}
void d_tanh(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.times(g, b.minus(b.constant(1), b.times(self, self))));
}
void d_sigmoid(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.times(g, b.times(self, b.minus(b.constant(1), self))));
}
void d_softplus(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.times(g, b.unary(Op::kSigmoid, Rule{b, self}.in(0))));
}
void d_erf(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const NodeId x = Rule{b, self}.in(0);
  const NodeId slope = b.unary(Op::kExp, b.scale(b.times(x, x), -1));
  out.add(0, b.times(g, b.scale(slope, 2 / std::sqrt(std::numbers::pi))));
}
void d_sum(Builder&, NodeId, NodeId g, Adjoints& out) { out.add(0, g); }
// Ties share the gradient equally.
void d_max_over(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  const NodeId is_max = b.minus(b.constant(1), b.less(n.in[0], self));
  const NodeId share = b.unary(Op::kRecip, b.sum(is_max, n.axes));
  out.add(0, b.times(is_max, b.times(g, share)));
}
void d_dot(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  for (int i = 0; i < 2; ++i) {
    const NodeId other = n.in[1 - i];
    AxisList surplus;
    for (const Type& t : {b.type(g), b.type(other)})
      for (AxisId axis : t.axes)
        if (!b.type(n.in[i]).has(axis) && !surplus.contains(axis)) surplus.push_back(axis);
    out.add(i, b.dot(g, other, surplus));
  }
}
void d_rename(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  out.add(0, b.add({.op = Op::kRename, .in = {g, -1, -1}, .axes = {n.axes[1], n.axes[0]}}));
}
void d_split(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  AxisList axes = b.node(self).axes;
  const AxisId from = axes[0];
  axes.erase(0);
  axes.push_back(from);
  out.add(0, b.add({.op = Op::kMerge, .in = {g, -1, -1}, .axes = axes}));
}
void d_merge(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  AxisList axes = b.node(self).axes;
  const AxisId to = axes[axes.size() - 1];
  axes.erase(axes.size() - 1);
  axes.insert(0, to);
  out.add(0, b.add({.op = Op::kSplit, .in = {g, -1, -1}, .axes = axes}));
}
void d_slice_or_pad(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  out.add(0, b.add({.op = n.op == Op::kSlice ? Op::kPad : Op::kSlice,
                    .in = {g, -1, -1},
                    .axes = {n.axes[1], n.axes[0]},
                    .index = n.index,
                    .amount = n.amount}));
}
void d_lookup(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  out.add(0, b.add({.op = Op::kScatter, .in = {g, n.in[1], -1}, .axes = n.axes}));
}
void d_scatter(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  out.add(0, b.add({.op = Op::kLookup, .in = {g, n.in[1], -1}, .axes = n.axes}));
}
void d_shift(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.add({.op = Op::kShift, .in = {g, -1, -1}, .amount = -b.node(self).amount}));
}
void d_past(Builder& b, NodeId, NodeId g, Adjoints& out) {
  out.add(0, b.add({.op = Op::kUnpast, .in = {g, -1, -1}}));
}
void d_unpast(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const std::int32_t window = b.type(b.node(self).in[0]).window;
  out.add(0, b.add({.op = Op::kPast, .in = {g, -1, -1}, .amount = window}));
}

void d_softmax(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  out.add(0, b.add({.op = Op::kSoftmaxGrad, .in = {self, g, -1}, .axes = b.node(self).axes}));
}
void no_second_order(Builder&, NodeId, NodeId, Adjoints&) {
  GABBRO_CHECK(!"lowered graphs are differentiated once");
}

// For h[t] = a[t] h[t-1] + x[t], adjoints run in the opposite direction and use the factor of the position
// they come from.
void d_recur(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  const int back = n.amount == 0 ? 1 : -1;
  const auto shift = [&](NodeId x, int by) {
    return b.add({.op = Op::kShift, .in = {x, -1, -1}, .amount = by});
  };
  const NodeId factor = b.type(n.in[0]).time() ? shift(n.in[0], -back) : n.in[0];
  const NodeId x = b.add({.op = Op::kRecur, .in = {factor, g, -1}, .amount = 1 - n.amount});
  out.add(0, b.times(x, shift(self, back)));
  out.add(1, x);
}

// With result y and adjoint g, sum_ts g[t] f[t - s] u[s] is linear in all three factors. The adjoint of each
// factor is this sum without that factor.
void d_convolve(Builder& b, NodeId self, NodeId g, Adjoints& out) {
  const Node n = b.node(self);
  GABBRO_CHECK(n.amount == 0);  // lowered graphs are differentiated once
  for (int i = 0; i < 2; ++i) {
    const NodeId other = n.in[1 - i];
    AxisList surplus;
    for (const Type& t : {b.type(other), b.type(g)})
      for (AxisId axis : t.axes)
        if (!b.type(n.in[i]).has(axis) && !surplus.contains(axis)) surplus.push_back(axis);
    out.add(i, b.add({.op = Op::kConvolve, .in = {other, g, -1}, .axes = surplus, .amount = 2 - i}));
  }
}

// ---- The table ----

#define SCALAR(expression)                               \
  [](double a, double b, double c, double v) -> double { \
    (void)a, (void)b, (void)c, (void)v;                  \
    return expression;                                   \
  }

constexpr auto kNone = nullptr;

// Columns: op, name, kind, arity, infer, reach, flops, scalar, vjp, doc, samples.
const OpInfo kOps[] = {
    {Op::kConst, "const", Kind::kLeaf, 0, scalar_type, nothing, 0, kNone, kNone, "a number", "2.5 * x"},
    {Op::kParam, "param", Kind::kLeaf, 0, param_type, nothing, 0, kNone, kNone,
     "param([axes], init=0): a trainable value; init is a number, normal(std) or uniform(low, high)",
     "x * param([D], init=1); x + param([D], init=normal(0.5)); x * param([D], init=uniform(-1, 1))"},
    {Op::kTokens, "tokens", Kind::kLeaf, 0, time_type, here, 0, kNone, kNone, "", ""},
    {Op::kInput, "input", Kind::kLeaf, 0, fixed, here, 0, kNone, kNone, "", ""},
    {Op::kArg, "arg", Kind::kLeaf, 0, fixed, nothing, 0, kNone, kNone, "", ""},
    {Op::kLag, "lag", Kind::kLeaf, 0, lag_type, nothing, 0, kNone, kNone,
     "lag(window=all): the distance t - s to each past position, [t, s]",
     "sum(past(x) * exp(-0.3 * lag()), over=s)"},
    {Op::kIota, "iota", Kind::kLeaf, 0, iota_type, nothing, 0, kNone, kNone,
     "iota(a): 0, 1, 2 ... along axis a, [a]", "x * iota(D); z * iota(h)"},
    {Op::kPosition, "position", Kind::kLeaf, 0, time_type, nothing, 0, kNone, kNone,
     "position(): the index of the position from the start of the document, [t]", "x * sin(position())"},

    {Op::kAdd, "add", Kind::kPointwise, 2, pointwise, here, 1, SCALAR(a + b), d_add, "a + b",
     "x + y; x + p; x + 1"},
    {Op::kMul, "mul", Kind::kPointwise, 2, pointwise, here, 1, SCALAR(a* b), d_mul, "a * b",
     "x * y; x * p; x * x"},
    {Op::kMax, "max", Kind::kPointwise, 2, pointwise, here, 1, SCALAR(std::isnan(a) || a > b ? a : b), d_max,
     "maximum(a, b): the larger, elementwise", "maximum(x, y); maximum(x, 0.1); maximum(p, x)"},
    {Op::kLess, "less", Kind::kPointwise, 2, pointwise, here, 1, SCALAR(a < b ? 1.0 : 0.0), kNone,
     "a < b, a > b: 1 where true, else 0; no gradient", "where(x < y, x, 2 * y)"},
    {Op::kWhere, "where", Kind::kPointwise, 3, pointwise, here, 1, SCALAR(a != 0 ? b : c), d_where,
     "where(condition, a, b): a where the condition is not 0, else b", "where(x < 0, y * y, x)"},
    {Op::kDiv, "div", Kind::kPointwise, 2, pointwise, here, 1, SCALAR(a / (b + 0.0)), d_div, "a / b",
     "y / (2 + x * x); x / 3"},
    {Op::kRecip, "recip", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(1 / (a + 0.0)), d_recip, "1 / x",
     "1 / (2 + x * x)"},
    {Op::kSqrt, "sqrt", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(std::sqrt(a)), d_sqrt, "sqrt(x)",
     "sqrt(1 + x * x)"},
    {Op::kPow, "pow", Kind::kPointwise, 1, pointwise, here, 2, SCALAR(std::pow(a + 0.0, v)), d_pow,
     "x ** number", "(1 + x * x) ** 1.7; x ** 3; (1 + x * x) ** -0.5"},
    {Op::kPower, "power", Kind::kPointwise, 2, pointwise, here, 2, SCALAR(std::pow(a + 0.0, b)), d_power,
     "a ** b", "(1 + x * x) ** y; 2 ** x; z * 2 ** iota(h)"},
    {Op::kExp, "exp", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(std::exp(a)), d_exp, "exp(x)",
     "exp(x)"},
    {Op::kLog, "log", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(std::log(a)), d_log,
     "log(x): natural logarithm", "log(1 + x * x)"},
    {Op::kSin, "sin", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(std::sin(a)), d_sin, "sin(x)",
     "sin(x)"},
    {Op::kCos, "cos", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(std::cos(a)), d_cos, "cos(x)",
     "cos(x)"},
    {Op::kTanh, "tanh", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(std::tanh(a)), d_tanh, "tanh(x)",
     "tanh(x)"},
    {Op::kSigmoid, "sigmoid", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(1 / (1 + std::exp(-a))),
     d_sigmoid, "sigmoid(x)", "sigmoid(x)"},
    {Op::kSoftplus, "softplus", Kind::kPointwise, 1, pointwise, here, 2,
     SCALAR(std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a)))), d_softplus,
     "softplus(x): log(1 + exp(x)) without overflow", "softplus(x)"},
    {Op::kErf, "erf", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(std::erf(a)), d_erf,
     "erf(x): the error function", "erf(x)"},
    {Op::kFloor, "floor", Kind::kPointwise, 1, pointwise, here, 1, SCALAR(std::floor(a)), kNone,
     "floor(x): rounds down; no gradient", "x * (1 + floor(sigmoid(x))); x * floor(position() / 4)"},
    {Op::kDetach, "detach", Kind::kPointwise, 1, pointwise, here, 0, SCALAR(a), kNone,
     "detach(x): x, as a constant for gradients", "x * detach(y)"},

    {Op::kSum, "sum", Kind::kReduce, 1, reduce, over_time, 1, kNone, d_sum,
     "sum(x, over=a): over axes a (one or a list; default: every axis but t and s)",
     "sum(z, over=h); sum(x, over=D) * y; sum(past(x), over=s); sum(past(x, 3) * y, over=s)"},
    {Op::kMaxOver, "max_over", Kind::kReduce, 1, reduce, here, 1, kNone, d_max_over,
     "max(x, over=a): the largest along the axes",
     "max(z, over=k) * z; max(past(x), over=s); max(past(z, 2), over=[s, h])"},
    {Op::kDot, "dot", Kind::kReduce, 2, dot_type, over_time, 2, kNone, d_dot,
     "dot(a, b, over=k): sum of products over axes that both have",
     "dot(x, y, over=D) * x; sum(dot(z, past(z), over=k), over=s); sum(dot(z, past(z), over=k) * past(z), "
     "over=s); "
     "linear(x, [h, k])"},
    {Op::kTopK, "topk", Kind::kReduce, 1, topk_type, here, 1, kNone, kNone,
     "top_k(x, n, over=a): 1 at the n largest along axis a (NaN: the smallest), else 0; no gradient",
     "x * top_k(y, 2, over=D); z * top_k(z, 1, over=h); x * top_k(sqrt(y), 5, over=D)"},

    {Op::kBroadcast, "broadcast", Kind::kAxes, 1, broadcast_type, here, 0, kNone, d_sum,
     "broadcast(x, [a]): x, repeated along new axes a", "broadcast(p, [k]) * z"},
    {Op::kRename, "rename", Kind::kAxes, 1, rename_type, here, 0, kNone, d_rename,
     "rename(x, a, b): axis a becomes axis b of the same size", "dot(z, rename(z, k, j), over=h)"},
    {Op::kSplit, "split", Kind::kAxes, 1, split_type, here, 0, kNone, d_split,
     "split(x, a, [b, c]): axis a as a grid of b rows by c columns", "split(x, D, [h, k]) * z"},
    {Op::kMerge, "merge", Kind::kAxes, 1, merge_type, here, 0, kNone, d_merge,
     "merge(x, [b, c], a): the reverse of split", "merge(z, [h, k], D) * x; merge(z, [k, h], D)"},
    {Op::kSlice, "slice", Kind::kAxes, 1, slice_type, here, 0, kNone, d_slice_or_pad,
     "slice(x, a, start, b): the b elements of axis a from start, as axis b",
     "slice(x, D, 1, k); take(z, h, 1)"},
    {Op::kPad, "pad", Kind::kAxes, 1, pad_type, here, 0, kNone, d_slice_or_pad,
     "pad(x, b, start, a): the reverse of slice, zeros elsewhere",
     "pad(z, k, 2, D); concat(take(z, h, 0), k, take(z, h, 1), k, D)"},

    {Op::kLookup, "lookup", Kind::kTable, 2, lookup_type, here, 0, kNone, d_lookup,
     "lookup(table, index, over=a): the row of the table at the index, rounded down and kept within the axis",
     "lookup(param([h, D], init=normal(1)), position() / 3, over=h)"},
    {Op::kScatter, "scatter", Kind::kAdjoint, 2, scatter_type, everything, 1, kNone, d_scatter, "", ""},

    {Op::kShift, "shift", Kind::kTime, 1, shift_type, shifted, 0, kNone, d_shift,
     "shift(x, n): x at n >= 0 positions before, 0 before the start",
     "shift(x, 1); shift(x, 3) * y; shift(z, 2)"},
    {Op::kPast, "past", Kind::kTime, 1, past_type, back, 0, kNone, d_past,
     "past(x, window=all): the values of x at positions s <= t, the latest `window` of them; adds axis s, to "
     "be reduced",
     "sum(past(x), over=s); sum(past(x, 4), over=s); sum(softmax(dot(z, past(z), over=k), over=s) * past(z), "
     "over=s)"},
    {Op::kUnpast, "unpast", Kind::kAdjoint, 1, unpast_type, forth, 1, kNone, d_unpast, "", ""},
    {Op::kScan, "scan", Kind::kTime, 0, scan_type, scanned, 0, kNone, kNone,
     "scan S: [axes] = init: a recurrence in step form, see below", ""},
    {Op::kScanOut, "scan_out", Kind::kTime, 1, scan_out_type, projected, 0, kNone, kNone, "", ""},

    // Only passes create these: w = softmax(x) along one axis, and its gradient w (g - sum(w g)) from w and
    // the adjoint g of w.
    {Op::kSoftmax, "softmax", Kind::kLowered, 1, softmax_type, here, 4, kNone, d_softmax, "", ""},
    {Op::kSoftmaxGrad, "softmax_grad", Kind::kLowered, 2, softmax_type, here, 4, kNone, no_second_order, "",
     ""},

    // Only passes create these: recurrences along time.
    {Op::kRecur, "recur", Kind::kLowered, 2, recur_type, recurs, 2, kNone, d_recur, "", ""},
    {Op::kAffine, "affine", Kind::kLowered, 0, affine_type, everything, 4, kNone, kNone, "", ""},
    // Returns the first operand, but only after the second has been computed.
    {Op::kAfter, "after", Kind::kLowered, 2, first_type, here, 0, kNone, no_second_order, "", ""},

    // Only passes create these. kDelay holds the distances t - s that pairs of positions can have, 0, 1, 2
    // ..., along time. kConvolve computes one of the three factors of sum_ts g[t] f[t - s] u[s] over pairs of
    // one document, summed over `axes`: y from f and u (amount 0), the adjoint of u from f and g (1), or that
    // of f from u and g (2). All sequences share f, so each of them holds the mean of its adjoint over the
    // sequences.
    {Op::kDelay, "delay", Kind::kLowered, 0, time_type, nothing, 0, kNone, kNone, "", ""},
    {Op::kConvolve, "convolve", Kind::kLowered, 2, convolve_type, everything, 2, kNone, d_convolve, "", ""},
};
#undef SCALAR

}  // namespace

std::span<const OpInfo> all_ops() { return kOps; }

const OpInfo& info(Op op) {
  const OpInfo& row = kOps[static_cast<std::size_t>(op)];
  GABBRO_CHECK(row.op == op);
  return row;
}

static_assert(std::size(kOps) == static_cast<std::size_t>(Op::kCount_), "every op has a row");

}  // namespace gabbro::ir
