#include "ir/graph.h"

#include <fmt/core.h>

#include <limits>

namespace gabbro::ir {

void Type::add(AxisId axis) {
  int i = 0;
  while (i < axes.size() && axes[i] < axis) ++i;
  if (i < axes.size() && axes[i] == axis) return;
  axes.insert(i, axis);
}

void Type::remove(AxisId axis) {
  if (const int i = axes.find(axis); i >= 0) axes.erase(i);
  if (axis == kPast) window = 0;
}

Graph::Graph() {
  axes.push_back({"t", 0, Sym::atom(Atom::kContext)});
  axes.push_back({"s", 0, Sym::atom(Atom::kContext)});
  bodies.emplace_back();
}

AxisId Graph::add_axis(std::string name, std::int64_t size, Sym sym) {
  GABBRO_CHECK(axes.size() < std::numeric_limits<AxisId>::max());
  axes.push_back({std::move(name), size, std::move(sym)});
  return static_cast<AxisId>(axes.size() - 1);
}

std::string Graph::axis_names(const AxisList& list) const {
  std::string out;
  for (AxisId a : list) {
    if (!out.empty()) out += ", ";
    out += axes[a].name;
    if (a >= kFirstAxis) out += fmt::format("={}", axes[a].size);
  }
  return "[" + out + "]";
}

std::string Graph::type_name(const Type& type) const {
  std::string out = axis_names(type.axes);
  if (type.past() && type.window != kAll) out += fmt::format(" (window {})", type.window);
  return out;
}

Type Affine::operand_type(std::int32_t i) const {
  Type type;
  type.add(kTime);
  for (const AxisId axis : shared) type.add(axis);
  const auto with = [&](const AxisList& axes) {
    for (const AxisId axis : axes) type.add(axis);
    return type;
  };
  if (decay == Decay::kOuter && i < 2) {
    with(values);
    if (i == 0) return type;
    with(contracted);
    type.remove(kTime);
    return type;
  }
  i -= decay == Decay::kOuter ? 2 : 0;
  if ((decay == Decay::kShared || decay == Decay::kChannel) && i-- == 0)
    return decay == Decay::kChannel ? with(contracted) : type;
  if (value_decay && i-- == 0) return with(values);
  const bool on_values = i >= 2 * ranks + added && i < 2 * ranks + 2 * added;
  return with(on_values ? values : contracted);
}

Type Affine::read_type() const {
  Type type;
  type.add(kTime);
  for (const auto* axes : {&shared, &values})
    for (const AxisId axis : *axes) type.add(axis);
  return type;
}

int step_outputs(const Graph& graph, const Scan& scan) {
  return static_cast<int>(graph.bodies[scan.body].outputs.size() - scan.inits.size());
}

std::vector<bool> live_nodes(const Graph& graph, int body, std::span<const NodeId> from) {
  const auto& nodes = graph.bodies[body].nodes;
  std::vector<bool> live(nodes.size(), false);
  for (NodeId id : from) live[id] = true;
  for (NodeId id = static_cast<NodeId>(nodes.size()) - 1; id >= 0; --id) {
    if (!live[id]) continue;
    for_each_operand(graph, nodes[id], [&](NodeId operand) { live[operand] = true; });
  }
  return live;
}

std::vector<bool> varying_nodes(const Graph& graph, const Scan& scan) {
  const auto& nodes = graph.bodies[scan.body].nodes;
  const auto first_invariant = static_cast<std::int32_t>(scan.inits.size() + scan.sequences.size());
  std::vector<bool> varies(nodes.size(), false);
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    varies[id] = nodes[id].op == Op::kArg && nodes[id].index < first_invariant;
    for_each_operand(graph, nodes[id], [&](NodeId operand) { varies[id] = varies[id] || varies[operand]; });
  }
  return varies;
}

std::int64_t elements(const Graph& graph, const AxisList& axes) {
  std::int64_t n = 1;
  for (AxisId a : axes)
    if (a >= kFirstAxis && __builtin_mul_overflow(n, graph.axes[a].size, &n))
      return std::numeric_limits<std::int64_t>::max();
  return n;
}

}  // namespace gabbro::ir
