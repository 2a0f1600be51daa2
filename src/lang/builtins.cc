#include "lang/builtins.h"

#include <fmt/core.h>

#include <array>
#include <cmath>

#include "lang/inner_gradient.h"

namespace gabbro::lang {

using ir::Op;

const Expr* keyword(const Expr& call, std::string_view name) {
  for (std::size_t i = 0; i < call.args.size(); ++i)
    if (call.keywords[i] == name) return &call.args[i];
  return nullptr;
}

namespace {

// Returns positional argument `i`, or the argument with keyword `name`, or null.
const Expr* argument(const Expr& call, std::size_t i, std::string_view name = {}) {
  for (std::size_t k = 0; k < call.args.size(); ++k)
    if (call.keywords[k].empty() && i-- == 0) return &call.args[k];
  return name.empty() ? nullptr : keyword(call, name);
}

std::string_view causal_hint(std::string_view what) {
  if (what == "mean") return "the causal counterpart is mean(past(x), over=s)";
  if (what == "max") return "the causal counterpart is max(past(x), over=s)";
  if (what == "dot") return "the causal counterpart is dot(past(a), past(b), over=s)";
  return "the causal counterpart is sum(past(x), over=s), or cumsum(x)";
}

std::string_view time_name(AxisId axis) { return axis == ir::kTime ? "t" : "s"; }

// Returns the axes of over=, each of which `type` must have. Without over=, returns every visible axis except
// t and s. `what` names the function in messages.
std::optional<AxisList> over_axes(Elaborator& e, const Expr& call, const ir::Type& type,
                                  std::string_view what) {
  const Expr* given = keyword(call, "over");
  if (!given) {
    AxisList all;
    for (AxisId a : type.axes)
      if (a >= ir::kFirstAxis && !e.frame().lifted.contains(a)) all.push_back(a);
    return all;
  }
  const auto axes = e.eval_axes(*given, "over");
  if (!axes) return {};
  for (AxisId a : *axes) {
    if (type.has(a) && a != ir::kTime) continue;
    const std::string shown = e.graph().type_name(type);
    if (a == ir::kTime)
      e.error(*given, "future", fmt::format("{} over t would read future positions", what),
              std::string(causal_hint(what)));
    else if (a == ir::kPast)
      e.error(*given, "shape", fmt::format("{} over s: no past positions are open in {}", what, shown),
              "open them with past(x): e.g. dot(q, past(key), over=k) is [t, s, ...]");
    else
      e.error(*given, "shape",
              fmt::format("{} over {}: the value {} has no such axis", what, e.graph().axes[a].name, shown),
              "reduce over an axis that the value has");
    return {};
  }
  return axes;
}

Value reduce(Elaborator& e, const Expr& call, Op op, std::string_view what) {
  const NodeId x = e.eval_tensor(call.args[0]);
  if (x < 0) return {};
  const auto over = over_axes(e, call, e.builder().type(x), what);
  return over ? e.emit(call.at, {.op = op, .in = {x, -1, -1}, .axes = *over}) : Value{};
}

Value run_sum(Elaborator& e, const Expr& call) { return reduce(e, call, Op::kSum, "sum"); }
Value run_max(Elaborator& e, const Expr& call) { return reduce(e, call, Op::kMaxOver, "max"); }

Value run_mean(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  if (x < 0) return {};
  const ir::Type type = e.builder().type(x);
  const auto over = over_axes(e, call, type, "mean");
  if (!over) return {};
  const Value total = e.emit(call.at, {.op = Op::kSum, .in = {x, -1, -1}, .axes = *over});
  if (total.poison()) return {};
  Static count{1, 1};
  for (AxisId a : *over)
    if (a >= ir::kFirstAxis)
      count = {count.value * static_cast<double>(e.graph().axes[a].size), count.sym * e.graph().axes[a].sym};
  Value divisor;
  divisor.kind = Value::Kind::kStatic;
  divisor.number = count;
  Value mean = e.arithmetic(call, "/", total, divisor);
  if (!over->contains(ir::kPast)) return mean;
  // The number of past positions grows from 1 to the window, so it is itself a sum over them.
  const NodeId ones = e.builder().fit(e.builder().constant(1), ir::Type{{ir::kTime, ir::kPast}, type.window});
  return e.arithmetic(call, "/", mean, e.make(e.builder().sum(ones, {ir::kPast})));
}

Value run_dot(Elaborator& e, const Expr& call) {
  const NodeId a = e.eval_tensor(call.args[0]), b = e.eval_tensor(call.args[1]);
  if (a < 0 || b < 0) return {};
  const Expr* given = keyword(call, "over");
  if (!given) return e.error(call.at, "call", "dot needs over=", "dot(a, b, over=k)");
  // Both values must have the axes.
  if (!over_axes(e, call, e.builder().type(a), "dot")) return {};
  const auto over = over_axes(e, call, e.builder().type(b), "dot");
  return over ? e.emit(call.at, {.op = Op::kDot, .in = {a, b, -1}, .axes = *over}) : Value{};
}

Value run_top_k(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  const auto k = e.eval_int(call.args[1], "the number kept");
  if (x < 0 || !k) return {};
  const auto over = over_axes(e, call, e.builder().type(x), "top_k");
  if (!over) return {};
  if (over->size() == 1 && (*over)[0] == ir::kPast)
    return e.error(
        *keyword(call, "over"), "time",
        "top_k over s: the first positions have fewer past ones than it keeps",
        "the n largest scores y have a lower bound c: `for i in n - 1 with c = max(y, over=s):` with "
        "`c = max(where(y < c, y, -1e9), over=s)` in its block; then softmax(where(y < c, -1e9, y), "
        "over=s) attends to them alone");
  if (over->size() != 1)
    return e.error(keyword(call, "over") ? *keyword(call, "over") : call, "call",
                   fmt::format("top_k runs over one axis, got {}", e.graph().axis_names(*over)),
                   "top_k(x, 2, over=e)");
  return e.emit(call.at,
                {.op = Op::kTopK, .in = {x, -1, -1}, .axes = *over, .amount = static_cast<std::int32_t>(*k)});
}

Value run_where(Elaborator& e, const Expr& call) {
  const NodeId c = e.eval_tensor(call.args[0]), a = e.eval_tensor(call.args[1]),
               b = e.eval_tensor(call.args[2]);
  return c < 0 || a < 0 || b < 0 ? Value{} : e.emit(call.at, {.op = Op::kWhere, .in = {c, a, b}});
}

Value extremum(Elaborator& e, const Expr& call, bool larger) {
  const Value a = e.eval(call.args[0]), b = e.eval(call.args[1]);
  if (a.poison() || b.poison()) return {};
  const auto is_static = [](const Value& v) {
    return v.kind == Value::Kind::kStatic || (v.kind == Value::Kind::kAxis && v.axes[0] >= ir::kFirstAxis);
  };
  if (is_static(a) && is_static(b)) {
    const Static x = Elaborator::as_static(e, a), y = Elaborator::as_static(e, b);
    Value v;
    v.kind = Value::Kind::kStatic;
    v.number = {larger ? std::max(x.value, y.value) : std::min(x.value, y.value),
                ir::Sym::call(larger ? ir::Sym::Fn::kMax : ir::Sym::Fn::kMin, x.sym, y.sym)};
    return v;
  }
  NodeId x = e.tensor(a, call.at), y = e.tensor(b, call.at);
  if (x < 0 || y < 0) return {};
  if (larger) return e.emit(call.at, {.op = Op::kMax, .in = {x, y, -1}});
  x = e.builder().scale(x, -1);  // min(a, b) = -max(-a, -b)
  y = e.builder().scale(y, -1);
  const Value v = e.emit(call.at, {.op = Op::kMax, .in = {x, y, -1}});
  return v.poison() ? v : e.make(e.builder().scale(v.node, -1));
}
Value run_maximum(Elaborator& e, const Expr& call) { return extremum(e, call, /*larger=*/true); }
Value run_minimum(Elaborator& e, const Expr& call) { return extremum(e, call, /*larger=*/false); }

// Pointwise functions of one argument come from the op table. Applied to a number, they return a number.
template <Op op>
Value run_unary(Elaborator& e, const Expr& call) {
  const Value x = e.eval(call.args[0]);
  if (x.poison()) return {};
  if (x.kind == Value::Kind::kStatic || (x.kind == Value::Kind::kAxis && x.axes[0] >= ir::kFirstAxis)) {
    const Static n = Elaborator::as_static(e, x);
    const double value = op == Op::kFloor ? ir::floor_of(n.value) : ir::info(op).scalar(n.value, 0, 0, 0);
    if (std::isnan(value))
      return e.error(call.at, "range", fmt::format("{} of {} is not a number", call.text, n.value));
    if (std::isinf(value) && !std::isinf(n.value))
      return e.error(call.at, "range", fmt::format("{} of {} is infinite", call.text, n.value));
    std::optional<ir::Sym> sym;
    if (n.sym.is_constant())
      sym = value;
    else if (op == Op::kSqrt)
      sym = pow(n.sym, 0.5);
    else if (op == Op::kFloor)
      sym = ir::Sym::call(ir::Sym::Fn::kFloor, n.sym);
    else if (op == Op::kExp)
      sym = ir::Sym::call(ir::Sym::Fn::kExp, n.sym);
    else if (op == Op::kLog)
      sym = ir::Sym::call(ir::Sym::Fn::kLog, n.sym);
    if (sym) {
      Value v;
      v.kind = Value::Kind::kStatic;
      v.number = {value, *sym};
      return v;
    }
  }
  const NodeId node = e.tensor(x, call.args[0].at);
  return node < 0 ? Value{} : e.emit(call.at, {.op = op, .in = {node, -1, -1}});
}

Value run_broadcast(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  const auto axes = e.eval_axes(call.args[1], "broadcast");
  if (x < 0 || !axes) return {};
  for (AxisId a : *axes)
    if (a < ir::kFirstAxis)
      return e.error(
          call.args[1], "time",
          fmt::format("broadcast cannot add {}: it adds feature axes, not positions", time_name(a)),
          "past(x) opens past positions");
  return e.emit(call.at, {.op = Op::kBroadcast, .in = {x, -1, -1}, .axes = *axes});
}

// Returns the axes that `expr` names. Reports an error for t and s: only other axes can be rearranged.
std::optional<AxisList> size_axes(Elaborator& e, const Expr& expr, std::string_view what) {
  const auto axes = e.eval_axes(expr, what);
  if (!axes) return {};
  for (AxisId a : *axes)
    if (a < ir::kFirstAxis) {
      e.error(
          expr, "time",
          fmt::format("{} of {}{}", what, time_name(a), ": positions cannot be moved, regrouped or joined"),
          a == ir::kTime ? "shift(x, n) looks back n positions, past(x, n) at the last n"
                         : "reduce over s instead: sum(x, over=s)");
      return {};
    }
  if (axes->size() < ir::kMaxRank) return axes;
  e.error(expr, "shape", fmt::format("{} cannot have {} axes", what, axes->size()), "use at most 7");
  return {};
}

std::optional<AxisId> size_axis(Elaborator& e, const Expr& expr, std::string_view what) {
  const auto axes = size_axes(e, expr, what);
  if (!axes) return {};
  if (axes->size() == 1) return (*axes)[0];
  e.error(expr, "type", fmt::format("{} takes one axis, got {}", what, e.graph().axis_names(*axes)),
          "merge(x, [b, c], a) makes one of several");
  return {};
}

// Returns true if `x` has each of `axes`, which `expr` names; reports an error otherwise.
bool has_axes(Elaborator& e, const Expr& expr, std::string_view what, NodeId x, const AxisList& axes) {
  const ir::Type type = e.builder().type(x);
  for (AxisId a : axes)
    if (!type.has(a)) {
      e.error(expr, "shape",
              fmt::format("{} of {}: the value {} has no such axis", what, e.graph().axes[a].name,
                          e.graph().type_name(type)),
              "name an axis that the value has");
      return false;
    }
  return true;
}

// Returns true if `x` without the axes `from`, which are replaced, has none of `axes`, which `expr` names;
// reports an error otherwise.
bool lacks_axes(Elaborator& e, const Expr& expr, std::string_view what, NodeId x, const AxisList& axes,
                const AxisList& from) {
  const ir::Type type = e.builder().type(x);
  for (AxisId a : axes)
    if (type.has(a) && !from.contains(a)) {
      e.error(expr, "shape",
              fmt::format("{} to {}, which is already in {}", what, e.graph().axes[a].name,
                          e.graph().type_name(type)),
              "choose another axis, or declare one: axis a = ...");
      return false;
    }
  return true;
}

Value run_rename(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  const auto from = size_axis(e, call.args[1], "rename"), to = size_axis(e, call.args[2], "rename");
  if (x < 0 || !from || !to || !has_axes(e, call.args[1], "rename", x, {*from}) ||
      !lacks_axes(e, call.args[2], "rename", x, {*to}, {*from}))
    return {};
  return e.emit(call.at, {.op = Op::kRename, .in = {x, -1, -1}, .axes = {*from, *to}});
}

Value run_split(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  const auto from = size_axis(e, call.args[1], "split");
  auto to = size_axes(e, call.args[2], "split");
  if (x < 0 || !from || !to || !has_axes(e, call.args[1], "split", x, {*from}) ||
      !lacks_axes(e, call.args[2], "split", x, *to, {*from}))
    return {};
  to->insert(0, *from);
  return e.emit(call.at, {.op = Op::kSplit, .in = {x, -1, -1}, .axes = *to});
}

Value run_merge(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  auto from = size_axes(e, call.args[1], "merge");
  const auto to = size_axis(e, call.args[2], "merge");
  if (x < 0 || !from || !to || !has_axes(e, call.args[1], "merge", x, *from) ||
      !lacks_axes(e, call.args[2], "merge", x, {*to}, *from))
    return {};
  from->push_back(*to);
  return e.emit(call.at, {.op = Op::kMerge, .in = {x, -1, -1}, .axes = *from});
}

// Returns true if `n` is a whole number that can be an offset in an axis.
bool is_offset(const Static& n) {
  constexpr double kLargest = 1 << 24;  // the largest size of an axis
  return n.value >= 0 && n.value <= kLargest && n.value == std::floor(n.value);
}

// Offsets of slices and pads keep their symbolic dependence on the width, for the structural hash.
Value slice(Elaborator& e, const Expr& call, NodeId x, AxisId from, const Static& start, AxisId to) {
  if (!is_offset(start))
    return e.error(call.at, "range", fmt::format("{} cannot start at {}", call.text, start.value),
                   "count from 0");
  return e.emit(call.at, {.op = Op::kSlice,
                          .in = {x, -1, -1},
                          .axes = {from, to},
                          .index = e.symbol(start.sym),
                          .amount = static_cast<std::int32_t>(start.value)});
}

Value run_slice(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  const auto from = size_axis(e, call.args[1], "slice"), to = size_axis(e, call.args[3], "slice");
  const auto start = e.eval_static(call.args[2], "the start");
  if (x < 0 || !from || !to || !start || !has_axes(e, call.args[1], "slice", x, {*from}) ||
      !lacks_axes(e, call.args[3], "slice", x, {*to}, {*from}))
    return {};
  return slice(e, call, x, *from, *start, *to);
}

Value run_take(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  const auto from = size_axis(e, call.args[1], "take");
  const auto index = e.eval_static(call.args[2], "the index");
  if (x < 0 || !from || !index || !has_axes(e, call.args[1], "take", x, {*from})) return {};
  const AxisId one = e.new_axis("one", {1, 1}, call.at);
  const Value v = slice(e, call, x, *from, *index, one);
  return v.poison() ? v : e.make(e.builder().sum(v.node, {one}));
}

Value pad(Elaborator& e, const Expr& call, const Expr& x_expr, const Expr& from_expr, const Static& start,
          const Expr& to_expr, AxisId to) {
  const NodeId x = e.eval_tensor(x_expr);
  const auto from = size_axis(e, from_expr, call.text);
  if (x < 0 || !from || !has_axes(e, from_expr, call.text, x, {*from}) ||
      !lacks_axes(e, to_expr, call.text, x, {to}, {*from}))
    return {};
  if (!is_offset(start))
    return e.error(call.at, "range", fmt::format("{} cannot start at {}", call.text, start.value),
                   "count from 0");
  return e.emit(call.at, {.op = Op::kPad,
                          .in = {x, -1, -1},
                          .axes = {*from, to},
                          .index = e.symbol(start.sym),
                          .amount = static_cast<std::int32_t>(start.value)});
}

Value run_pad(Elaborator& e, const Expr& call) {
  const auto start = e.eval_static(call.args[2], "the start");
  const auto to = size_axis(e, call.args[3], "pad");
  return start && to ? pad(e, call, call.args[0], call.args[1], *start, call.args[3], *to) : Value{};
}

Value run_concat(Elaborator& e, const Expr& call) {
  const auto first = size_axis(e, call.args[1], "concat"), second = size_axis(e, call.args[3], "concat");
  const auto to = size_axis(e, call.args[4], "concat");
  if (!first || !second || !to) return {};
  const ir::Axis a = e.graph().axes[*first], b = e.graph().axes[*second], whole = e.graph().axes[*to];
  if (a.size + b.size != whole.size)
    return e.error(call.at, "shape",
                   fmt::format("{}={} and {}={} do not add up to {}={}", a.name, a.size, b.name, b.size,
                               whole.name, whole.size),
                   "declare `axis a = b + c`");
  const Value x = pad(e, call, call.args[0], call.args[1], {0, 0}, call.args[4], *to);
  const Value y =
      pad(e, call, call.args[2], call.args[3], {static_cast<double>(a.size), a.sym}, call.args[4], *to);
  return e.arithmetic(call, "+", x, y);
}

constexpr std::string_view kGather =
    "lookup(table, index, over=p) reads a table that is the same at all positions; of past positions, "
    "shift(x, "
    "n), or sum(w * past(x), over=s) with weights such as w = where(lag() == n, 1, 0)";

Value run_lookup(Elaborator& e, const Expr& call) {
  const NodeId table = e.eval_tensor(call.args[0]), index = e.eval_tensor(call.args[1]);
  if (table < 0 || index < 0) return {};
  if (e.builder().type(table).time())
    return e.error(
        call.args[0], "shape",
        fmt::format("the table of lookup varies over time: {}", e.graph().type_name(e.builder().type(table))),
        e.builder().type(table).past()
            ? std::string(kGather)
            : "a table is the same at all positions: lookup(param([p, D]), position(), over=p)");
  const auto over = over_axes(e, call, e.builder().type(table), "lookup");
  if (!over) return {};
  if (over->size() != 1)
    return e.error(keyword(call, "over") ? *keyword(call, "over") : call, "call",
                   fmt::format("lookup runs over one axis, got {}", e.graph().axis_names(*over)),
                   "lookup(table, index, over=p)");
  return e.emit(call.at, {.op = Op::kLookup, .in = {table, index, -1}, .axes = *over});
}

Value run_shift(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  const auto n = e.eval_int(call.args[1], "the distance");
  if (x < 0 || !n) return {};
  if (e.in_scan())
    return e.error(call.at, "time", "shift is used inside a scan",
                   "a scan sees one position at a time: carry a state, or shift before it");
  if (*n < 0)
    return e.error(call.args[1].at, "future",
                   fmt::format("shift by {} would read {} position{} ahead", *n, -*n, *n == -1 ? "" : "s"),
                   fmt::format("n >= 0 looks back: shift(x, {})", -*n));
  constexpr std::int64_t kFarthest = 1 << 20;
  if (*n > kFarthest)
    return e.error(call.args[1].at, "range", fmt::format("shift by {} is too far", *n),
                   "at most 2^20 positions");
  return e.emit(call.at, {.op = Op::kShift, .in = {x, -1, -1}, .amount = static_cast<std::int32_t>(*n)});
}

std::optional<std::int32_t> window_of(Elaborator& e, const Expr* expr) {
  if (!expr) return ir::kAll;
  const auto n = e.eval_int(*expr, "the window");
  if (!n) return {};
  if (*n >= 1) return static_cast<std::int32_t>(std::min<std::int64_t>(*n, ir::kAll));
  e.error(expr->at, *n < 0 ? "future" : "range", fmt::format("a window of {} positions is too small", *n),
          "a window includes the position itself, so it is at least 1");
  return {};
}

Value run_past(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  const auto window = window_of(e, argument(call, 1, "window"));
  if (x < 0 || !window) return {};
  if (e.in_scan())
    return e.error(call.at, "time", "past is used inside a scan",
                   "a scan sees one position at a time: carry a state, or open past before it");
  return e.emit(call.at, {.op = Op::kPast, .in = {x, -1, -1}, .amount = *window});
}

Value run_cumsum(Elaborator& e, const Expr& call) {
  const Value past = run_past(e, call);
  return past.poison() ? past : e.make(e.builder().sum(past.node, {ir::kPast}));
}

// Adds a leaf to the body of the model. A scan in which it is used captures it.
Value leaf(Elaborator& e, Position at, ir::Node node) {
  Value v;
  v.kind = Value::Kind::kTensor;
  v.node = e.contexts_.front().builder->add(node);
  const NodeId here = e.use(v, at);
  return here < 0 ? Value{} : e.make(here);
}

Value run_lag(Elaborator& e, const Expr& call) {
  const auto window = window_of(e, argument(call, 0, "window"));
  return window ? leaf(e, call.at, {.op = Op::kLag, .amount = *window}) : Value{};
}

Value run_iota(Elaborator& e, const Expr& call) {
  const auto axis = e.eval_axis(call.args[0], "iota");
  if (!axis) return {};
  if (*axis < ir::kFirstAxis)
    return e.error(
        call.args[0], "time", fmt::format("iota cannot run over {}", time_name(*axis)),
        *axis == ir::kTime ? "position() is the index of the position" : "lag() is the distance t - s");
  return leaf(e, call.at, {.op = Op::kIota, .axes = {*axis}});
}

Value run_position(Elaborator& e, const Expr& call) { return leaf(e, call.at, {.op = Op::kPosition}); }

// Returns the initialisation that `expr` describes: 0.5, normal(0.02) or uniform(-1, 1). Without `expr`, it
// is `fallback`.
std::optional<ir::Init> init_of(Elaborator& e, const Expr* expr, ir::Init fallback) {
  if (!expr) return fallback;
  const auto numbers = [&](std::size_t n) -> std::optional<std::array<double, 2>> {
    if (expr->args.size() != n) {
      e.error(
          expr->at, "call",
          fmt::format("{} takes {} number{}, got {}", expr->text, n, n == 1 ? "" : "s", expr->args.size()));
      return {};
    }
    std::array<double, 2> out{};
    for (std::size_t i = 0; i < n; ++i) {
      const auto v = e.eval_static(expr->args[i], "an initial value");
      if (!v || !e.is_in_range(v->value, expr->args[i].at)) return {};
      out[i] = v->value;
    }
    return out;
  };
  if (expr->kind == Expr::Kind::kCall && expr->text == "normal") {
    const auto v = numbers(1);
    if (!v) return std::nullopt;
    // In ir::Init, a normal distribution with standard deviation 0 stands for the default one.
    return (*v)[0] == 0 ? ir::Init{ir::Init::Kind::kConstant, 0, 0}
                        : ir::Init{ir::Init::Kind::kNormal, (*v)[0], 0};
  }
  if (expr->kind == Expr::Kind::kCall && expr->text == "uniform") {
    const auto v = numbers(2);
    return v ? std::optional(ir::Init{ir::Init::Kind::kUniform, (*v)[0], (*v)[1]}) : std::nullopt;
  }
  const auto v = e.eval_static(*expr, "an initial value");
  return v && e.is_in_range(v->value, expr->at)
             ? std::optional(ir::Init{ir::Init::Kind::kConstant, v->value, 0})
             : std::nullopt;
}

Value run_param(Elaborator& e, const Expr& call) {
  const auto axes = e.eval_axes(call.args[0], "param");
  const auto init = init_of(e, argument(call, 1, "init"), {ir::Init::Kind::kConstant, 0, 0});
  if (!axes || !init) return {};
  for (AxisId a : *axes)
    if (a < ir::kFirstAxis)
      return e.error(
          call.args[0], "length",
          fmt::format("a parameter cannot have axis {}: its size would be the length of the sequence",
                      time_name(a)),
          "use a table of fixed size, lookup(param([p, D]), position(), over=p), or a function of lag()");
  const NodeId node = e.new_param(call.at, std::string(e.frame().label), *axes, {}, ir::Role::kVector, *init);
  return node < 0 ? Value{} : e.make(node);
}

// Computes y[out] = sum over the contracted axes of x * W (+ b).
Value run_linear(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  if (x < 0) return {};
  const ir::Type type = e.builder().type(x);
  AxisList out;
  const Expr& out_expr = call.args[1];
  if (out_expr.kind == Expr::Kind::kList || out_expr.kind == Expr::Kind::kName) {
    Value v;
    if (out_expr.kind == Expr::Kind::kName) v = e.eval(out_expr);
    if (out_expr.kind == Expr::Kind::kName && v.poison()) return {};
    if (v.kind == Value::Kind::kStatic) {
      const AxisId axis = e.new_axis(out_expr.text, v.number, out_expr.at);
      if (axis == 0) return {};  // an error
      out.push_back(axis);
    } else {
      const auto axes = e.eval_axes(out_expr, "the result of linear");
      if (!axes) return {};
      out = *axes;
    }
  } else {
    const auto size = e.eval_static(out_expr, "the size of the result");
    if (!size) return {};
    const AxisId axis = e.new_axis("r", *size, out_expr.at);
    if (axis == 0) return {};
    out.push_back(axis);
  }
  for (AxisId a : out)
    if (a < ir::kFirstAxis)
      return e.error(out_expr, a == ir::kTime ? "future" : "shape",
                     fmt::format("linear cannot make axis {}: it would mix positions", time_name(a)),
                     "mix positions with past(x) or a scan");
  AxisList per;
  const Expr* per_expr = keyword(call, "per");
  if (per_expr) {
    const auto axes = e.eval_axes(*per_expr, "per");
    if (!axes) return {};
    per = *axes;
  }
  for (AxisId a : per)
    if (a < ir::kFirstAxis)
      return e.error(*per_expr, "length",
                     fmt::format("linear per {}: a separate weight for every position would need as many "
                                 "weights as the text has tokens",
                                 time_name(a)),
                     a == ir::kTime ? "a table by position is lookup(param([p, D]), position(), over=p)"
                                    : "a table by distance is lookup(param([p]), lag(), over=p)");
  AxisList over;
  const Expr* over_expr = keyword(call, "over");
  if (over_expr) {
    const auto axes = over_axes(e, call, type, "linear");
    if (!axes) return {};
    over = *axes;
  } else {
    for (AxisId a : type.axes)
      if (a >= ir::kFirstAxis && !e.frame().lifted.contains(a) && !per.contains(a)) over.push_back(a);
  }
  for (AxisId a : over) {
    if (a == ir::kPast)
      return e.error(*over_expr, "length",
                     "linear over s: a separate weight for every past position would need as many weights as "
                     "the text has tokens",
                     "sum(past(x) * weight, over=s) with a weight that is computed, or conv(x, width)");
    if (per.contains(a))
      return e.error(*per_expr, "shape",
                     fmt::format("axis {} is in both over= and per=", e.graph().axes[a].name),
                     "over= axes are contracted; per= axes have separate weights");
  }
  if (over.empty())
    return e.error(over_expr ? *over_expr : call, "shape",
                   fmt::format("linear has nothing to contract in {}", e.graph().type_name(type)),
                   "give it a value with a feature axis");
  for (AxisId a : out)
    if (per.contains(a) || (type.has(a) && !over.contains(a)))
      return e.error(
          out_expr, "shape",
          fmt::format("linear would create axis {0}, but {0} is kept from {1}", e.graph().axes[a].name,
                      per.contains(a) ? "per=" : e.graph().type_name(type)),
          "choose another axis for the result, or contract it too");
  const auto init = init_of(e, keyword(call, "init"), {ir::Init::Kind::kNormal, 0, 0});
  const Expr* bias_expr = keyword(call, "bias");
  const auto bias = bias_expr ? e.eval_static(*bias_expr, "bias") : std::optional<Static>(Static{});
  if (!init || !bias) return {};

  // The weight holds contracted and result axes at once. A result axis that the input also has is replaced by
  // a second axis of the same size.
  AxisList weight_axes = per, result = out;
  for (AxisId a : over) weight_axes.push_back(a);
  for (AxisId& a : result) {
    if (type.has(a)) a = e.twin(a);
    if (weight_axes.full())
      return e.error(call.at, "shape",
                     fmt::format("the weight of linear has more than {} axes", ir::kMaxRank));
    weight_axes.push_back(a);
  }
  const std::string label(e.frame().label);
  const NodeId weight = e.new_param(call.at, label, weight_axes, over, ir::Role::kHidden, *init);
  if (weight < 0) return {};
  Value y = e.emit(call.at, {.op = Op::kDot, .in = {x, weight, -1}, .axes = over});
  for (int i = 0; i < out.size() && !y.poison(); ++i)
    if (out[i] != result[i])
      y = e.emit(call.at, {.op = Op::kRename, .in = {y.node, -1, -1}, .axes = {result[i], out[i]}});
  if (bias->value == 0 || y.poison()) return y;
  AxisList bias_axes = per;
  for (AxisId a : out) bias_axes.push_back(a);
  const NodeId b = e.new_param(call.at, label + ".bias", bias_axes, {}, ir::Role::kVector,
                               {ir::Init::Kind::kConstant, 0, 0});
  return b < 0 ? Value{} : e.emit(call.at, {.op = Op::kAdd, .in = {y.node, b, -1}});
}

Value run_size(Elaborator& e, const Expr& call) {
  const auto axes = e.eval_axes(call.args[0], "size");
  if (!axes) return {};
  Value v;
  v.kind = Value::Kind::kStatic;
  v.number = {1, 1};
  for (AxisId a : *axes) {
    if (a < ir::kFirstAxis)
      return e.error(call.at, "length", "the sequence length cannot be used as a value",
                     "position() counts from the start of the text");
    v.number = {v.number.value * static_cast<double>(e.graph().axes[a].size),
                v.number.sym * e.graph().axes[a].sym};
  }
  return v;
}

Value run_axes(Elaborator& e, const Expr& call) {
  const NodeId x = e.eval_tensor(call.args[0]);
  if (x < 0) return {};
  Value v;
  v.kind = Value::Kind::kAxes;
  for (AxisId a : e.builder().type(x).axes)
    if (a >= ir::kFirstAxis && !e.frame().lifted.contains(a)) v.axes.push_back(a);
  return v;
}

// Columns: name, min_args, max_args, keywords, doc, run.
const Builtin kBuiltins[] = {
    {"linear", 2, 2, "over per bias init",
     "linear(x, out, over=all axes of x, per=[], bias=false, init=normal(1/sqrt(fan-in))): x times a new "
     "weight; out is an axis, a list, or a size; "
     "`per` axes get weights of their own",
     run_linear},
    {"param", 1, 2, "init", "", run_param},
    {"dot", 2, 2, "over", "", run_dot},
    {"sum", 1, 1, "over", "", run_sum},
    {"mean", 1, 1, "over", "mean(x, over=a): over s, the mean of the open past positions", run_mean},
    {"max", 1, 1, "over", "", run_max},
    {"top_k", 2, 2, "over", "", run_top_k},
    {"maximum", 2, 2, "", "", run_maximum},
    {"minimum", 2, 2, "", "minimum(a, b): the smaller, elementwise", run_minimum},
    {"where", 3, 3, "", "", run_where},
    {"exp", 1, 1, "", "", run_unary<Op::kExp>},
    {"log", 1, 1, "", "", run_unary<Op::kLog>},
    {"sqrt", 1, 1, "", "", run_unary<Op::kSqrt>},
    {"sin", 1, 1, "", "", run_unary<Op::kSin>},
    {"cos", 1, 1, "", "", run_unary<Op::kCos>},
    {"tanh", 1, 1, "", "", run_unary<Op::kTanh>},
    {"sigmoid", 1, 1, "", "", run_unary<Op::kSigmoid>},
    {"softplus", 1, 1, "", "", run_unary<Op::kSoftplus>},
    {"erf", 1, 1, "", "", run_unary<Op::kErf>},
    {"floor", 1, 1, "", "", run_unary<Op::kFloor>},
    {"detach", 1, 1, "", "", run_unary<Op::kDetach>},
    {"past", 1, 2, "window", "", run_past},
    {"cumsum", 1, 1, "", "cumsum(x): sum(past(x), over=s)", run_cumsum},
    {"shift", 2, 2, "", "", run_shift},
    {"lag", 0, 1, "window", "", run_lag},
    {"position", 0, 0, "", "", run_position},
    {"iota", 1, 1, "", "", run_iota},
    {"lookup", 2, 2, "over", "", run_lookup},
    {"split", 3, 3, "", "", run_split},
    {"merge", 3, 3, "", "", run_merge},
    {"rename", 3, 3, "", "", run_rename},
    {"slice", 4, 4, "", "", run_slice},
    {"take", 3, 3, "", "take(x, a, i): element i of axis a, without the axis", run_take},
    {"pad", 4, 4, "", "", run_pad},
    {"concat", 5, 5, "", "concat(x, b, y, c, a): x along b, then y along c, as axis a", run_concat},
    {"broadcast", 2, 2, "", "", run_broadcast},
    {"grad", 2, 2, "",
     "grad(loss, w): inside a scan, the gradient of the sum of loss with respect to w; differentiated again "
     "in training",
     run_grad},
    {"size", 1, 1, "", "size(a): the size of an axis (also just its name) or the product of a list",
     run_size},
    {"axes", 1, 1, "", "axes(x): the list of axes of x but t and s", run_axes},
};

constexpr std::string_view kNoLength = "the sequence length cannot be used as a value";
constexpr std::string_view kUsePosition =
    "position() counts from the start of the text; a running mean is mean(past(x), over=s)";
constexpr std::string_view kWholeSequence = "an FFT over the sequence reads the future";
constexpr std::string_view kLongConv =
    "a causal long convolution is sum(past(x) * filter, over=s) with a filter made of lag()";
constexpr std::string_view kNoBatch = "the batch is not an axis: sequences never mix";
constexpr std::string_view kUseNorm = "normalise over features: RMSNorm(x), LayerNorm(x)";
constexpr std::string_view kRunningNorm =
    "a running norm is x * (mean(past(x * x), over=s) + 1e-6) ** -0.5; over features: RMSNorm(x), "
    "LayerNorm(x)";
constexpr std::string_view kWholeNorm = "a norm over the sequence reads the future";
constexpr std::string_view kAttend =
    "w = softmax(dot(q, past(key), over=k) * k ** -0.5, over=s), then sum(w * past(val), over=s); or the "
    "unit "
    "Attention(x)";
constexpr std::string_view kAhead = "future positions cannot be read";
constexpr std::string_view kNoMask = "there is no mask to write";
constexpr std::string_view kOnlyPast = "past(x) holds the positions s <= t only";
constexpr std::string_view kNoRandom = "there are no random values";
constexpr std::string_view kInit = "param([axes], init=normal(0.02))";
constexpr std::string_view kRegroup = "split(x, a, [b, c]) and merge(x, [b, c], a)";
constexpr std::string_view kByName =
    "values broadcast by name: an axis that a value lacks is added where it meets one";
constexpr std::string_view kJoin =
    "concat(x, b, y, c, a) joins x along b and y along c as axis a, after `axis a = b + c`";
constexpr std::string_view kTwoMaps =
    "make two values: a = linear(x, D), b = linear(x, D); slice(x, a, start, b) cuts";
constexpr std::string_view kNumbers = "numbers broadcast: write 0 or 1; param([D], init=1) is a parameter";
constexpr std::string_view kSpread =
    "mean((x - mean(x, over=D)) ** 2, over=D); over the past, past(x) and over=s";
constexpr std::string_view kGroups =
    "y = split(x, D, [g, k]), then rms_normalize(y, over=k), then merge(y, [g, k], D)";
constexpr std::string_view kEmbedded = "token ids are read by the embedding alone, before the stack";
constexpr std::string_view kUseEmbedded =
    "what the stack takes in is the embedding: a unit that is the whole stack hands it to every layer "
    "(for i in n with y = x: y = Layer(y, x)), where linear(x, D) is a value embedding and linear(x, k) * "
    "linear(shift(x, 1), k) depends on two tokens; a table by position is lookup(param([p, D]), position(), "
    "over=p)";
constexpr std::string_view kNoVocab = "units work on [t, D]; only the design knows the vocabulary";
constexpr std::string_view kAroundStack =
    "embedding and output layer are made around the stack: the logits are a linear map of its result, and "
    "one "
    "distribution is predicted; shape that result in the last unit, or set tied = true in the design";
constexpr std::string_view kLargest =
    "top_k(x, 1, over=e) is 1 at the largest and 0 elsewhere; of scores y over past positions, "
    "softmax(where(y "
    "< max(y, over=s), -1e9, y), over=s) attends to the largest alone";
constexpr std::string_view kScatter =
    "a recurrence writes by content: scan S: [e, v] = 0: with S = S + softmax(y, over=e) * value in its "
    "block, "
    "for y [t, e] and value [t, v]";
constexpr std::string_view kReorders = "positions cannot be reordered";
constexpr std::string_view kUseShift = "shift(x, n) looks back n positions";

// Columns: name, code, message, hint.
const Absent kAbsent[] = {
    {"fft", "future", kWholeSequence, kLongConv},
    {"ifft", "future", kWholeSequence, kLongConv},
    {"rfft", "future", kWholeSequence, kLongConv},
    {"irfft", "future", kWholeSequence, kLongConv},
    {"T", "length", kNoLength, kUsePosition},
    {"L", "length", kNoLength, kUsePosition},
    {"len", "length", kNoLength, kUsePosition},
    {"length", "length", kNoLength, kUsePosition},
    {"seq_len", "length", kNoLength, kUsePosition},
    {"shape", "length", kNoLength, kUsePosition},
    {"batch", "batch", kNoBatch, kUseNorm},
    {"batch_size", "batch", kNoBatch, kUseNorm},
    {"batch_norm", "batch", kNoBatch, kUseNorm},
    {"BatchNorm", "batch", kNoBatch, kUseNorm},
    {"flip", "future", kReorders, kUseShift},
    {"reverse", "future", kReorders, kUseShift},
    {"roll", "future", kReorders, kUseShift},
    {"sort", "future", kReorders, "top_k(x, n, over=a) marks the n largest along a feature axis"},
    {"transpose", "name", "axes have names, there is nothing to transpose",
     "rename(x, a, b), split(x, a, [b, c]), merge(x, [b, c], a)"},
    {"reshape", "name", "there is no reshape", "split(x, a, [b, c]) and merge(x, [b, c], a)"},
    {"view", "name", "there is no view", "split(x, a, [b, c]) and merge(x, [b, c], a)"},
    {"rearrange", "name", "there is no rearrange",
     "split(x, a, [b, c]) and merge(x, [b, c], a); linear(x, [h, k]) makes heads directly"},
    {"matmul", "name", "there is no matmul",
     "dot(a, b, over=k) contracts a named axis; linear(x, D) has a weight of its own"},
    {"einsum", "name", "there is no einsum", "axes contract by name: dot(a, b, over=k)"},
    {"bmm", "name", "there is no bmm", "axes contract by name: dot(a, b, over=k)"},
    {"outer", "name", "there is no outer",
     "a product of values with different axes is the outer product: a * b"},
    {"permute", "name", "axes have names, there is nothing to permute", kRegroup},
    {"squeeze", "name", "axes have names, there is nothing to squeeze", kByName},
    {"unsqueeze", "name", "axes have names, there is nothing to unsqueeze", kByName},
    {"expand", "name", "there is no expand", kByName},
    {"repeat", "name", "there is no repeat", kByName},
    {"chunk", "name", "there is no chunk", kTwoMaps},
    {"cat", "name", "there is no cat", kJoin},
    {"stack", "name", "there is no stack of values", kJoin},
    {"zeros", "name", "there is no zeros", kNumbers},
    {"ones", "name", "there is no ones", kNumbers},
    {"zeros_like", "name", "there is no zeros_like", kNumbers},
    {"ones_like", "name", "there is no ones_like", kNumbers},
    {"tril", "name", kNoMask, kOnlyPast},
    {"triu", "name", kNoMask, kOnlyPast},
    {"mask", "name", kNoMask, kOnlyPast},
    {"causal_mask", "name", kNoMask, kOnlyPast},
    {"masked_fill", "name", kNoMask, kOnlyPast},
    {"scaled_dot_product_attention", "name", "attention is not built in: it is written", kAttend},
    {"flash_attention", "name", "attention is not built in: it is written", kAttend},
    {"MultiheadAttention", "name", "attention is not built in: it is written", kAttend},
    {"future", "future", kAhead, kUseShift},
    {"next", "future", kAhead, kUseShift},
    {"lead", "future", kAhead, kUseShift},
    {"fftconv", "future", kWholeSequence, kLongConv},
    {"fft_conv", "future", kWholeSequence, kLongConv},
    {"instance_norm", "future", kWholeNorm, kRunningNorm},
    {"InstanceNorm", "future", kWholeNorm, kRunningNorm},
    {"InstanceNorm1d", "future", kWholeNorm, kRunningNorm},
    {"BatchNorm1d", "batch", kNoBatch, kUseNorm},
    {"B", "batch", kNoBatch,
     "batches are made by the trainer; declare `axis b = ...` for an axis of your own"},
    {"bsz", "batch", kNoBatch, "batches are made by the trainer"},
    {"N", "length", kNoLength, kUsePosition},
    {"seqlen", "length", kNoLength, kUsePosition},
    {"block_size", "length", kNoLength, kUsePosition},
    {"context_length", "length", kNoLength, kUsePosition},
    {"max_len", "length", kNoLength, kUsePosition},
    {"layer_norm", "name", "there is no layer_norm",
     "the unit LayerNorm(x), with a scale and an offset of its own"},
    {"rms_norm", "name", "there is no rms_norm",
     "the unit RMSNorm(x), or rms_normalize(x, over=D) without scale"},
    {"group_norm", "name", "there is no group_norm", kGroups},
    {"GroupNorm", "name", "there is no GroupNorm", kGroups},
    {"norm", "name", "there is no norm", "RMSNorm(x), LayerNorm(x), or l2_normalize(x, over=D)"},
    {"normalize", "name", "there is no normalize", "l2_normalize(x, over=D), rms_normalize(x, over=D)"},
    {"var", "name", "there is no var", kSpread},
    {"std", "name", "there is no std", kSpread},
    {"min", "name", "there is no min", "-max(-x, over=D) along an axis, minimum(a, b) per element"},
    {"argmax", "name", "there is no argmax", kLargest},
    {"argsort", "future", kReorders, kLargest},
    {"gather", "name", "there is no gather", kGather},
    {"index_select", "name", "there is no index_select", kGather},
    {"take", "name", "there is no take", kGather},
    {"scatter", "name", "there is no scatter", kScatter},
    {"scatter_add", "name", "there is no scatter_add", kScatter},
    {"one_hot", "name", "there is no one_hot", "where(x == iota(e), 1, 0) has axis e, of any size"},
    {"cummax", "name", "there is no cummax", "max(past(x), over=s)"},
    {"cummean", "name", "there is no cummean", "mean(past(x), over=s)"},
    {"cumprod", "name", "there is no cumprod", "carry it: scan P: [D] = 1: with P = P * x in its block"},
    {"embedding", "name", kEmbedded, kUseEmbedded},
    {"Embedding", "name", kEmbedded, kUseEmbedded},
    {"embed", "name", kEmbedded, kUseEmbedded},
    {"hash", "name", kEmbedded, kUseEmbedded},
    {"token", "name", kEmbedded, kUseEmbedded},
    {"tokens", "name", kEmbedded, kUseEmbedded},
    {"token_id", "name", kEmbedded, kUseEmbedded},
    {"token_ids", "name", kEmbedded, kUseEmbedded},
    {"input_ids", "name", kEmbedded, kUseEmbedded},
    {"ids", "name", kEmbedded, kUseEmbedded},
    {"embed_tokens", "name", kEmbedded, kUseEmbedded},
    {"token_embedding", "name", kEmbedded, kUseEmbedded},
    {"value_embedding", "name", kEmbedded, kUseEmbedded},
    {"wte", "name", kEmbedded, kUseEmbedded},
    {"ngram_hash", "name", kEmbedded, kUseEmbedded},
    {"bigram_hash", "name", kEmbedded, kUseEmbedded},
    {"V", "name", kNoVocab, kAroundStack},
    {"vocab", "name", kNoVocab, kAroundStack},
    {"vocab_size", "name", kNoVocab, kAroundStack},
    {"logits", "name", kNoVocab, kAroundStack},
    {"lm_head", "name", kNoVocab, kAroundStack},
    {"Linear", "name", "there are no modules", "linear(x, D) makes its weight where it stands"},
    {"conv1d", "name", "there is no conv1d",
     "conv(x, 4) is depthwise and looks back only; linear(x, D) mixes channels"},
    {"Conv1d", "name", "there is no Conv1d",
     "conv(x, 4) is depthwise and looks back only; linear(x, D) mixes channels"},
    {"pow", "name", "there is no pow", "powers are written x ** 2"},
    {"square", "name", "there is no square", "powers are written x ** 2"},
    {"rsqrt", "name", "there is no rsqrt", "write x ** -0.5"},
    {"clamp", "name", "there is no clamp", "minimum(maximum(x, 0), 1)"},
    {"clip", "name", "there is no clip", "minimum(maximum(x, 0), 1)"},
    {"leaky_relu", "name", "there is no leaky_relu", "where(x < 0, 0.01 * x, x)"},
    {"elu", "name", "there is no elu", "where(x < 0, exp(minimum(x, 0)) - 1, x)"},
    {"swish", "name", "there is no swish", "silu(x)"},
    {"glu", "name", "there is no glu", "linear(x, f) * sigmoid(linear(x, f))"},
    {"dropout", "name", "there is no dropout",
     "a design is a deterministic function; regularisation belongs to the trainer"},
    {"randn", "name", kNoRandom, kInit},
    {"rand", "name", kNoRandom, kInit},
};

}  // namespace

std::span<const Builtin> builtins() { return kBuiltins; }

std::string_view documentation(const Builtin& builtin) {
  if (!builtin.doc.empty()) return builtin.doc;
  for (const ir::OpInfo& op : ir::all_ops())
    if (op.doc.starts_with(std::string(builtin.name) + "(")) return op.doc;
  return builtin.name;
}

const Builtin* find_builtin(std::string_view name) {
  for (const Builtin& b : kBuiltins)
    if (b.name == name) return &b;
  return nullptr;
}

std::string_view causal_counterpart(std::string_view name) {
  if (name == "softmax") return "the causal counterpart is softmax(past(x), over=s), reduced over s";
  if (name == "logsumexp") return "the causal counterpart is logsumexp(past(x), over=s)";
  if (name == "rms_normalize" || name == "l2_normalize") return kRunningNorm;
  return {};
}

const Absent* find_absent(std::string_view name) {
  for (const Absent& a : kAbsent)
    if (a.name == name) return &a;
  return nullptr;
}

}  // namespace gabbro::lang
