#include "ir/narrow.h"

#include <cmath>

#include "ir/facts.h"

namespace gabbro::ir {

namespace {

// A size that follows from the width, where it is one.
std::optional<std::int64_t> whole(const Sym& sym, const SymEnv& env, double least) {
  const double value = sym.eval(env);
  if (!(value >= least) || std::abs(value - std::round(value)) > 1e-9) return {};
  return std::llround(value);
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
        return false;  // keeping all of them hides how many are kept
  }
  return true;
}

}  // namespace

std::optional<Graph> narrowed(const Graph& graph, std::int64_t width, std::int64_t vocab,
                              Constants constants) {
  Graph out = graph;
  out.env.width = static_cast<double>(width);
  out.env.vocab = static_cast<double>(vocab);
  if (!resize_axes(out)) return {};
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
