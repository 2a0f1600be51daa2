#include "lang/inner_gradient.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <span>

#include "ir/facts.h"
#include "ir/gradient.h"

namespace gabbro::lang {

using ir::Op;

namespace {

// Collects the names that are the second argument of a call of grad.
void collect(const Expr& expr, std::vector<std::string>& out) {
  if (expr.kind == Expr::Kind::kCall && expr.text == "grad" && expr.args.size() > 1 &&
      expr.args[1].kind == Expr::Kind::kName)
    out.push_back(expr.args[1].text);
  for (const Expr& arg : expr.args) collect(arg, out);
}

// Returns the name that `expr` is, or `otherwise` for another expression.
std::string name_or(const Expr& expr, const char* otherwise) {
  return expr.kind == Expr::Kind::kName ? expr.text : otherwise;
}

// Returns the value of the enclosing body that is captured as `arg` in the step, or -1 if there is none.
NodeId outer_of(const BodyContext& step, NodeId arg) {
  for (const auto& [outer, captured] : step.captured)
    if (captured == arg) return outer;
  return -1;
}

// Returns the name that the program gives to a value of the model's body.
std::string name_of(Elaborator& e, NodeId outer) {
  const ir::Graph& graph = e.graph();
  int body = 0;
  NodeId node = outer;
  if (const ir::Node& n = graph.node(0, outer); n.op == Op::kScanOut && n.index >= 0) {
    const ir::Scan& scan = graph.scans[graph.node(0, n.in[0]).index];
    body = scan.body;
    node = graph.bodies[body].outputs[scan.inits.size() + static_cast<std::size_t>(n.index)];
  }
  for (const Binding& b : e.frame().names)
    if (b.value.kind == Value::Kind::kTensor && b.value.body == body && b.value.node == node && b.name != "_")
      return std::string(b.name);
  const int line = graph.node(0, outer).line;
  return line > 0 ? fmt::format("a value of line {}", line) : "another value";
}

// Returns true if `node` is structurally 0.
bool is_zero(const ir::Builder& b, NodeId node) {
  while (b.node(node).op == Op::kBroadcast) node = b.node(node).in[0];
  return b.node(node).op == Op::kConst && b.node(node).index < 0 && b.node(node).value == 0;
}

// Returns true if simplification looks through `op`: a loss written with the value may then no longer read
// it.
bool is_looked_through(Op op) {
  return op == Op::kMul || op == Op::kDiv || op == Op::kRecip || op == Op::kSum || op == Op::kRename ||
         op == Op::kDetach;
}

// Returns the cost, in evaluation steps, of a pass over the step and one over the model's body; such passes
// create no operations.
std::size_t steps_of(Elaborator& e, const BodyContext& step) {
  constexpr std::size_t kNodesPerStep = 64;
  return (e.graph().bodies[step.body].nodes.size() + e.graph().bodies[0].nodes.size() +
          step.captured.size()) /
         kNodesPerStep;
}

// Returns a value from before the scan that the loss reads and that was computed from `outer`, or -1 if there
// is none. `outer` is a value from before the scan too.
NodeId indirect_operand(Elaborator& e, NodeId loss, NodeId outer) {
  const BodyContext& step = e.contexts_.back();
  const std::vector<bool> read = ir::gradient_nodes(e.graph(), step.body, std::array{loss});
  std::vector<NodeId> others;
  for (const auto& [from, arg] : step.captured)
    if (read[arg] && from != outer) others.push_back(from);
  std::sort(others.begin(), others.end());
  // Returns true if one of the first `count` of them was computed from `outer`.
  const auto any_depends = [&](std::size_t count) -> bool {
    return ir::gradient_nodes(e.graph(), 0, std::span(others).first(count))[outer];
  };
  if (!any_depends(others.size())) return -1;
  std::size_t without = 0, with = others.size();
  while (with - without > 1) {
    const std::size_t middle = (without + with) / 2;
    (any_depends(middle) ? with : without) = middle;
  }
  return others[with - 1];
}

}  // namespace

std::vector<std::string> differentiated_names(const std::vector<Stmt>& block) {
  std::vector<std::string> out;
  for (const Stmt& stmt : block) {
    for (const Expr& value : stmt.values) collect(value, out);
    for (std::string& name : differentiated_names(stmt.body)) out.push_back(std::move(name));
  }
  return out;
}

Value run_grad(Elaborator& e, const Expr& call) {
  if (!e.in_scan())
    return e.error(call.at, "future",
                   "grad is used outside a scan: a gradient through a whole sequence would carry information "
                   "backwards in time",
                   "take inner gradient steps inside a scan, one position at a time");
  const NodeId loss = e.eval_tensor(call.args[0]), wrt = e.eval_tensor(call.args[1]);
  if (loss < 0 || wrt < 0) return {};
  BodyContext& step = e.contexts_.back();
  const std::string loss_name = name_or(call.args[0], "the loss"),
                    wrt_name = name_or(call.args[1], "the value");
  const Op op = e.builder().node(wrt).op;
  if (op == Op::kConst)
    return e.error(call.args[1].at, "grad", "grad cannot be taken with respect to a number",
                   "grad(loss, W) differentiates with respect to a state or another value");
  if (is_looked_through(op) && !e.builder().is_pinned(wrt))
    return e.error(call.args[1].at, "grad", "grad cannot be taken with respect to an expression",
                   "give it a name in the scan, compute the loss from that name, then grad(loss, name)");
  const NodeId outer = outer_of(step, wrt);
  if (!e.spend(steps_of(e, step), call.at)) return {};
  if (outer >= 0)
    if (const NodeId indirect = indirect_operand(e, loss, outer); indirect >= 0) {
      const std::string name = name_of(e, indirect);
      const bool is_loss = outer_of(step, loss) == indirect;
      return e.error(call.at, "grad",
                     is_loss
                         ? fmt::format("{} is computed from {} before the scan, which grad does not see",
                                       loss_name, wrt_name)
                         : fmt::format("{} reads {} through {}, which is computed before the scan: grad does "
                                       "not see that",
                                       loss_name, wrt_name, name),
                     is_loss ? "compute it in the scan"
                             : fmt::format("compute {0} in the scan, or hold it fixed: detach({0})", name));
    }
  const std::array<NodeId, 1> losses{loss}, targets{wrt};
  const NodeId one = e.builder().fit(e.builder().constant(1), e.builder().type(loss));
  const std::array<NodeId, 1> seeds{one};
  const NodeId gradient = ir::differentiate(e.builder(), losses, seeds, targets)[0];
  if (is_zero(e.builder(), gradient)) {
    const bool reads = ir::live_nodes(e.graph(), step.body, losses)[wrt];
    return e.error(
        call.at, "grad",
        reads ? fmt::format("{} reads {} only where no gradient passes: grad is 0", loss_name, wrt_name)
              : fmt::format("{} does not depend on {}: grad is 0", loss_name, wrt_name),
        reads ? "no gradient passes through detach, floor, //, comparisons, top_k, the condition "
                "of where, the index of lookup"
              : fmt::format("compute the loss from {} as it is at this line", wrt_name));
  }
  if (outer >= 0 && !e.graph().node(0, outer).type.time())
    step.gradients.push_back({e.frame().own ? call.at : e.frame().call_site, loss_name, wrt_name, loss, wrt});
  return e.make(gradient);
}

void reject_gradients_through_states(Elaborator& e, const BodyContext& step,
                                     const std::vector<std::string>& states,
                                     const std::vector<NodeId>& inits) {
  if (step.gradients.empty() || !e.spend(states.size() * steps_of(e, step), step.gradients[0].at)) return;
  const ir::Graph& graph = e.graph();
  // For each state, the nodes that its update reads in the step, and the nodes of the model's body from which
  // it is computed.
  std::vector<std::vector<bool>> read, started;
  for (std::size_t i = 0; i < states.size(); ++i) {
    read.push_back(ir::gradient_nodes(graph, step.body, std::array{graph.bodies[step.body].outputs[i]}));
    std::vector<NodeId> from{inits[i]};
    for (const auto& [outer, arg] : step.captured)
      if (read[i][arg]) from.push_back(outer);
    started.push_back(ir::gradient_nodes(graph, 0, from));
  }
  for (const InnerGradient& g : step.gradients) {
    if (!e.spend(states.size() * states.size() + steps_of(e, step), g.at)) return;
    const NodeId outer = outer_of(step, g.wrt);
    // For each state, true if it was computed from `outer`.
    std::vector<bool> depends(states.size());
    for (std::size_t i = 0; i < states.size(); ++i) depends[i] = started[i][outer];
    for (bool grown = true; grown;) {
      grown = false;
      for (std::size_t i = 0; i < states.size(); ++i)
        for (std::size_t j = 0; j < states.size() && !depends[i]; ++j)
          // The first nodes of a step are its states.
          if (depends[j] && read[i][j]) depends[i] = grown = true;
    }
    const std::vector<bool> read_by_loss = ir::gradient_nodes(graph, step.body, std::array{g.loss});
    for (std::size_t i = 0; i < states.size(); ++i)
      if (depends[i] && read_by_loss[i]) {
        e.error(g.at, "grad",
                fmt::format("{} reads {} through the state {}, which is initialised from it or was computed "
                            "from it at earlier positions: grad does not see that",
                            g.loss_name, g.wrt_name, states[i]),
                fmt::format("hold the state fixed: detach({0}), or differentiate with respect to {0}",
                            states[i]));
        break;
      }
  }
}

}  // namespace gabbro::lang
