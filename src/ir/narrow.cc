#include "ir/narrow.h"

#include <cmath>
#include <vector>

#include "ir/facts.h"

namespace gabbro::ir {

namespace {

// Returns the value of `sym` if it is an integer of at least `least`.
std::optional<std::int64_t> whole(const Sym& sym, const SymEnv& env, double least) {
  constexpr double kRounding = 1e-9;
  const double value = sym.eval(env);
  if (!(value >= least) || std::abs(value - std::round(value)) > kRounding) return {};
  return std::llround(value);
}

// A linear function of the indices of an axis, slope * index + offset. `slope` is 0 for a constant.
struct LinearFunction {
  AxisId axis = 0;
  double slope = 0, offset = 0;
};

std::optional<LinearFunction> sum_of(const LinearFunction& a, const LinearFunction& b) {
  if (a.slope != 0 && b.slope != 0 && a.axis != b.axis) return {};
  return LinearFunction{a.slope != 0 ? a.axis : b.axis, a.slope + b.slope, a.offset + b.offset};
}

// Returns `node` as a linear function, or nullopt if it is not known to be one. `functions` holds those of
// the nodes before it.
std::optional<LinearFunction> linear_function_of(const Node& node,
                                                 const std::vector<std::optional<LinearFunction>>& functions,
                                                 Constants constants) {
  const auto in = [&](int i) {
    return functions[static_cast<std::size_t>(node.in[static_cast<std::size_t>(i)])];
  };
  switch (node.op) {
    case Op::kIota:
      return LinearFunction{node.axes[0], 1, 0};
    case Op::kConst:
      if (node.index >= 0 && constants == Constants::kComputed) return {};  // it shrinks with the axis
      return LinearFunction{0, 0, node.value};
    case Op::kBroadcast:
    case Op::kDetach:
      return in(0);
    case Op::kRename: {
      auto function = in(0);
      if (function && function->axis == node.axes[0]) function->axis = node.axes[1];
      return function;
    }
    case Op::kAdd:
      return in(0) && in(1) ? sum_of(*in(0), *in(1)) : std::nullopt;
    case Op::kMul: {
      const auto a = in(0), b = in(1);
      if (!a || !b || (a->slope != 0 && b->slope != 0)) return {};
      const LinearFunction &function = a->slope != 0 ? *a : *b, &factor = a->slope != 0 ? *b : *a;
      return LinearFunction{function.axis, function.slope * factor.offset, function.offset * factor.offset};
    }
    case Op::kDiv: {
      const auto a = in(0), b = in(1);
      if (!a || !b || b->slope != 0 || b->offset == 0) return {};
      return LinearFunction{a->axis, a->slope / b->offset, a->offset / b->offset};
    }
    default:
      return {};
  }
}

// Returns true if every comparison of axis indices with a constant that has indices on both sides in `before`
// still has indices on both sides in `after`.
bool keeps_sides(const Graph& before, const Graph& after, Constants constants) {
  for (const Body& body : before.bodies) {
    std::vector<std::optional<LinearFunction>> functions;
    for (const Node& node : body.nodes) {
      functions.push_back(linear_function_of(node, functions, constants));
      if (node.op != Op::kLess && node.op != Op::kMax) continue;
      const auto &a = functions[static_cast<std::size_t>(node.in[0])],
                 &b = functions[static_cast<std::size_t>(node.in[1])];
      if (!a || !b) continue;
      const auto difference = sum_of(*a, {b->axis, -b->slope, -b->offset});
      if (!difference || difference->slope == 0) continue;
      // Number of indices on the first side.
      const double below = std::ceil(-difference->offset / difference->slope);
      const AxisId axis = difference->axis;
      if (below > 0 && below < static_cast<double>(before.axes[axis].size) &&
          below >= static_cast<double>(after.axes[axis].size))
        return false;
    }
  }
  return true;
}

bool resize_axes(Graph& graph) {
  for (std::size_t a = kFirstAxis; a < graph.axes.size(); ++a) {
    Axis& axis = graph.axes[a];
    if (axis.sym.is_constant()) continue;
    const auto size = whole(axis.sym, graph.env, 1);
    if (!size || (*size == 1 && axis.size > 1)) return false;
    axis.size = *size;
  }
  return true;
}

bool resize_node(const Graph& before, const Graph& graph, const Body& body, Constants constants, Node& node) {
  if (node.op == Op::kConst && node.index >= 0 && constants == Constants::kComputed)
    node.value = graph.syms[node.index].eval(graph.env);
  if ((node.op == Op::kSlice || node.op == Op::kPad) && node.index >= 0) {
    const auto offset = whole(graph.syms[node.index], graph.env, 0);
    if (!offset) return false;
    node.amount = static_cast<std::int32_t>(*offset);
  }
  if (node.op == Op::kTopK) {
    const Type& in = body.nodes[node.in[0]].type;
    for (const AxisId axis : node.axes)
      if (in.has(axis) && node.amount >= graph.axes[axis].size && node.amount < before.axes[axis].size)
        return false;  // keeping all elements would hide the selection
  }
  return true;
}

}  // namespace

std::optional<Graph> narrowed(const Graph& graph, std::int64_t width, std::int64_t vocab,
                              Constants constants) {
  Graph out = graph;
  out.env.width = static_cast<double>(width);
  out.env.vocab = static_cast<double>(vocab);
  if (!resize_axes(out) || !keeps_sides(graph, out, constants)) return {};
  for (Body& body : out.bodies)
    for (Node& node : body.nodes)
      if (!resize_node(graph, out, body, constants, node)) return {};
  if (!verify(out)) return {};
  return out;
}

Graph narrowest(const Graph& graph, std::int64_t vocab, std::int64_t from) {
  for (const std::int64_t width : kNarrowWidths) {
    if (width < from) continue;
    if (static_cast<double>(width) >= graph.env.width) break;
    if (auto out = narrowed(graph, width, vocab)) return std::move(*out);
  }
  const auto own = static_cast<std::int64_t>(graph.env.width);
  if (auto out = narrowed(graph, own, vocab)) return std::move(*out);
  return graph;
}

}  // namespace gabbro::ir
