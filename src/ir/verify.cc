// The verifier runs every op's shape rule again on a finished graph.
#include <fmt/core.h>

#include "ir/facts.h"

namespace gabbro::ir {

namespace {

Result<bool> verify_body(const Graph& graph, int index) {
  const Body& body = graph.bodies[index];
  const auto wrong = [&](std::size_t id, const std::string& what) {
    return fail("verify",
                fmt::format("body {} node {} ({}): {}", index, id, info(body.nodes[id].op).name, what));
  };
  for (std::size_t id = 0; id < body.nodes.size(); ++id) {
    const Node& node = body.nodes[id];
    bool ordered = true;
    for_each_operand(graph, node,
                     [&](NodeId in) { ordered = ordered && in >= 0 && in < static_cast<NodeId>(id); });
    if (!ordered) return wrong(id, "an operand does not come before its use");
    if (node.op != Op::kScan)
      for (int i = 0; i < 3; ++i)
        if ((node.in[i] >= 0) != (i < info(node.op).arity)) return wrong(id, "wrong number of operands");
    if (index != 0 && (node.type.time() || info(node.op).kind == Kind::kTime))
      return wrong(id, "the step of a scan sees one position only");
    const auto type = info(node.op).infer(graph, body, node);
    if (!type) return wrong(id, type.error().message);
    if (*type != node.type)
      return wrong(id,
                   fmt::format("type {} should be {}", graph.type_name(node.type), graph.type_name(*type)));
  }
  for (NodeId id : body.outputs)
    if (id < 0 || id >= static_cast<NodeId>(body.nodes.size()))
      return fail("verify", fmt::format("body {}: output {} does not exist", index, id));
  return true;
}

Result<bool> verify_scan(const Graph& graph, const Body& parent, const Scan& scan) {
  std::vector<const Type*> bound;
  for (const auto* list : {&scan.inits, &scan.sequences, &scan.invariants})
    for (NodeId id : *list) bound.push_back(&parent.nodes[id].type);
  const Body& step = graph.bodies[scan.body];
  if (step.outputs.size() < scan.inits.size()) return fail("verify", "a scan has fewer outputs than states");
  for (const Node& node : step.nodes) {
    if (node.op != Op::kArg) continue;
    if (node.index < 0 || node.index >= static_cast<int>(bound.size()))
      return fail("verify", fmt::format("argument {} of a scan is not bound", node.index));
    Type want = *bound[node.index];
    const bool is_sequence = node.index >= static_cast<int>(scan.inits.size()) &&
                             node.index < static_cast<int>(scan.inits.size() + scan.sequences.size());
    if (is_sequence != want.time())
      return fail("verify", fmt::format("argument {} of a scan: time does not fit its place", node.index));
    want.remove(kTime);
    if (want != node.type)
      return fail("verify", fmt::format("argument {} of a scan is {}, bound to {}", node.index,
                                        graph.type_name(node.type), graph.type_name(want)));
  }
  return true;
}

}  // namespace

Result<bool> verify(const Graph& graph) {
  for (std::size_t i = 0; i < graph.bodies.size(); ++i)
    if (auto ok = verify_body(graph, static_cast<int>(i)); !ok) return ok;
  for (const Node& node : graph.bodies[0].nodes)
    if (node.op == Op::kScan)
      if (auto ok = verify_scan(graph, graph.bodies[0], graph.scans[node.index]); !ok) return ok;
  return true;
}

}  // namespace gabbro::ir
