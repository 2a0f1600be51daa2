// Derives causality from the graph: which positions influence which, and which parameters matter.
#include <algorithm>

#include "ir/facts.h"

namespace gabbro::ir {

namespace {

// Returns which arguments each node of a step depends on. Rows are nodes, columns are arguments.
std::vector<std::vector<bool>> argument_dependence(const Graph& graph, const Scan& scan) {
  const auto& nodes = graph.bodies[scan.body].nodes;
  const std::size_t args = scan.inits.size() + scan.sequences.size() + scan.invariants.size();
  std::vector<std::vector<bool>> depends(nodes.size(), std::vector<bool>(args, false));
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    if (nodes[id].op == Op::kArg) depends[id][nodes[id].index] = true;
    for_each_operand(graph, nodes[id], [&](NodeId in) {
      for (std::size_t a = 0; a < args; ++a) depends[id][a] = depends[id][a] || depends[in][a];
    });
  }
  return depends;
}

// Returns the reach of one step output: what it reads of this step's sequences, and of earlier ones through
// the states.
Reach step_output_reach(const Graph& graph, const Scan& scan, NodeId output,
                        const std::vector<Reach>& outer) {
  const auto depends = argument_dependence(graph, scan);
  const auto& outputs = graph.bodies[scan.body].outputs;
  const std::size_t states = scan.inits.size();
  std::vector<bool> through(states, false);  // states that influence the output
  for (std::size_t i = 0; i < states; ++i) through[i] = depends[output][i];
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t i = 0; i < states; ++i)
      for (std::size_t j = 0; through[i] && j < states; ++j)
        if (depends[outputs[i]][j] && !through[j]) through[j] = grown = true;
  }
  Reach reach;
  for (std::size_t k = 0; k < scan.sequences.size(); ++k) {
    const Reach sequence = outer[scan.sequences[k]];
    if (depends[output][states + k]) reach = join(reach, sequence);
    for (std::size_t i = 0; i < states; ++i)
      if (through[i] && depends[outputs[i]][states + k])
        reach =
            join(reach, compose(sequence, scan.reverse ? Reach{1, Reach::kFar} : Reach{-Reach::kFar, -1}));
  }
  return reach;
}

}  // namespace

std::vector<Reach> infer_reach(const Graph& graph) {
  const Body& body = graph.bodies[0];
  std::vector<Reach> reach(body.nodes.size());
  for (std::size_t id = 0; id < body.nodes.size(); ++id) {
    const Node& node = body.nodes[id];
    if (node.op == Op::kScanOut && node.index >= 0) {
      const Scan& scan = graph.scans[body.nodes[node.in[0]].index];
      reach[id] = step_output_reach(graph, scan,
                                    graph.bodies[scan.body].outputs[scan.inits.size() + node.index], reach);
      continue;
    }
    const OpInfo& op = info(node.op);
    if (op.kind == Kind::kLeaf) {
      reach[id] = op.reach(graph, node);
      continue;
    }
    Reach operands;
    for_each_operand(graph, node, [&](NodeId in) { operands = join(operands, reach[in]); });
    reach[id] = compose(operands, op.reach(graph, node));
  }
  return reach;
}

namespace {

// Marks the nodes that a gradient of the wanted nodes reaches. On entry, `on` marks the wanted nodes of body
// `index`. wanted_outputs[scan] marks the outputs of the step that a gradient reaches.
void spread_gradient(const Graph& graph, int index, std::vector<bool>& on,
                     std::vector<std::vector<bool>>& wanted_outputs) {
  const Body& body = graph.bodies[index];
  for (NodeId id = static_cast<NodeId>(body.nodes.size()) - 1; id >= 0; --id) {
    if (!on[id]) continue;
    const Node& node = body.nodes[id];
    switch (node.op) {
      case Op::kWhere:
        on[node.in[1]] = on[node.in[2]] = true;
        break;
      case Op::kLookup:
        on[node.in[0]] = true;
        break;
      case Op::kScanOut: {
        const int scan = body.nodes[node.in[0]].index;
        const Scan& s = graph.scans[scan];
        wanted_outputs[scan].resize(graph.bodies[s.body].outputs.size());
        wanted_outputs[scan][node.index >= 0 ? s.inits.size() + node.index : -1 - node.index] = true;
        on[node.in[0]] = true;
        break;
      }
      case Op::kScan: {
        const Scan& s = graph.scans[node.index];
        const Body& step = graph.bodies[s.body];
        auto& wanted = wanted_outputs[node.index];
        std::vector<bool> inner(step.nodes.size(), false);
        // If a state matters, so does its new value.
        for (bool grown = true; grown;) {
          grown = false;
          for (std::size_t i = 0; i < wanted.size(); ++i)
            if (wanted[i]) inner[step.outputs[i]] = true;
          spread_gradient(graph, s.body, inner, wanted_outputs);
          for (std::size_t n = 0; n < step.nodes.size(); ++n)
            if (const Node& arg = step.nodes[n]; inner[n] && arg.op == Op::kArg &&
                                                 arg.index < static_cast<int>(s.inits.size()) &&
                                                 !wanted[arg.index])
              wanted[arg.index] = grown = true;
        }
        for (std::size_t n = 0; n < step.nodes.size(); ++n) {
          if (!inner[n] || step.nodes[n].op != Op::kArg) continue;
          std::size_t a = step.nodes[n].index;
          if (a < s.inits.size())
            on[s.inits[a]] = true;
          else if ((a -= s.inits.size()) < s.sequences.size())
            on[s.sequences[a]] = true;
          else
            on[s.invariants[a - s.sequences.size()]] = true;
        }
        break;
      }
      default:
        if (info(node.op).vjp)
          for (int i = 0; i < info(node.op).arity; ++i) on[node.in[i]] = true;
    }
  }
}

}  // namespace

std::vector<bool> gradient_nodes(const Graph& graph, int body, std::span<const NodeId> from) {
  std::vector<bool> on(graph.bodies[body].nodes.size(), false);
  for (NodeId id : from) on[id] = true;
  std::vector<std::vector<bool>> wanted(graph.scans.size());
  spread_gradient(graph, body, on, wanted);
  return on;
}

std::vector<int> dead_params(const Graph& graph) {
  const Body& body = graph.bodies[0];
  const std::vector<bool> on = gradient_nodes(graph, 0, body.outputs);
  std::vector<bool> alive(graph.params.size(), false);
  for (std::size_t id = 0; id < body.nodes.size(); ++id)
    if (body.nodes[id].op == Op::kParam && on[id]) alive[body.nodes[id].index] = true;
  std::vector<int> dead;
  for (std::size_t p = 0; p < alive.size(); ++p)
    if (!alive[p]) dead.push_back(static_cast<int>(p));
  return dead;
}

bool is_affine(const Graph& graph, const Scan& scan) {
  const Body& step = graph.bodies[scan.body];
  // Degree in the states: 0 constant, 1 affine, 2 anything else.
  std::vector<int> degree(step.nodes.size(), 0);
  for (std::size_t id = 0; id < step.nodes.size(); ++id) {
    const Node& node = step.nodes[id];
    const auto in = [&](int i) { return node.in[i] < 0 ? 0 : degree[node.in[i]]; };
    const int most = std::max({in(0), in(1), in(2)});
    switch (node.op) {
      case Op::kArg:
        degree[id] = node.index < static_cast<int>(scan.inits.size()) ? 1 : 0;
        break;
      case Op::kMul:
      case Op::kDot:
        degree[id] = std::min(2, in(0) + in(1));
        break;
      case Op::kDiv:
        degree[id] = in(1) > 0 ? 2 : in(0);
        break;
      case Op::kWhere:
        degree[id] = in(0) > 0 ? 2 : std::max(in(1), in(2));
        break;
      case Op::kLookup:
        degree[id] = in(1) > 0 ? 2 : in(0);
        break;
      case Op::kAdd:
      case Op::kSum:
      case Op::kBroadcast:
      case Op::kRename:
      case Op::kSplit:
      case Op::kMerge:
      case Op::kSlice:
      case Op::kPad:
      case Op::kDetach:
        degree[id] = most;
        break;
      default:
        degree[id] = most > 0 ? 2 : 0;
    }
  }
  return std::all_of(step.outputs.begin(),
                     step.outputs.begin() + static_cast<std::ptrdiff_t>(scan.inits.size()),
                     [&](NodeId id) { return degree[id] <= 1; });
}

}  // namespace gabbro::ir
