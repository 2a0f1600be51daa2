#include "exec/reference/scan.h"

#include <algorithm>
#include <utility>

#include "ir/op.h"

namespace gabbro::exec {

using ir::NodeId;

ScanRun::ScanRun(const ir::Graph& graph, const ir::Scan& scan)
    : graph_(graph), scan_(scan), body_(graph, scan.body, graph.bodies[scan.body].outputs) {
  next_.resize(scan.inits.size());
  states_.resize(scan.inits.size());
  items_.resize(scan.sequences.size());
  outputs_.resize(graph.bodies[scan.body].outputs.size() - scan.inits.size());
  plan_steps();
}

// A node varies if it depends on a state or a sequence item. No value in a body has a time axis, since the
// steps are the positions.
void ScanRun::plan_steps() {
  const auto& nodes = graph_.bodies[scan_.body].nodes;
  const auto first_invariant = static_cast<int>(scan_.inits.size() + scan_.sequences.size());
  std::vector<bool> varies(nodes.size(), false);
  for (NodeId id : body_.schedule()) {
    GABBRO_CHECK(!nodes[id].type.time() && nodes[id].op != ir::Op::kScan);
    bool any = nodes[id].op == ir::Op::kArg && nodes[id].index < first_invariant;
    ir::for_each_operand(graph_, nodes[id], [&](NodeId operand) { any = any || varies[operand]; });
    varies[id] = any;
    (any ? varying_ : fixed_).push_back(id);
  }
}

void ScanRun::run(std::span<const Tensor* const> inits, std::span<const Tensor* const> sequences,
                  std::span<const Tensor* const> invariants, std::span<const Tensor> params,
                  const Clock& clock) {
  GABBRO_CHECK(!clock.stepping || !scan_.reverse);
  if (clock.t_begin == 0)
    for (std::size_t i = 0; i < states_.size(); ++i) states_[i] = *inits[i];

  std::vector<const Tensor*> args;
  for (const Tensor& state : states_) args.push_back(&state);
  for (const Tensor& item : items_) args.push_back(&item);
  args.insert(args.end(), invariants.begin(), invariants.end());

  const ir::Body& body = graph_.bodies[scan_.body];
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    ir::Type type = body.nodes[body.outputs[states_.size() + i]].type;
    type.add(ir::kTime);
    reshape(outputs_[i], graph_, type.axes, clock.frame(0));
  }
  const Sources sources{.params = params, .tokens = {}, .inputs = {}, .args = args};
  const Clock step_clock{.float32 = clock.float32};  // a step has no positions
  body_.run(fixed_, sources, step_clock);
  for (std::int64_t i = 0; i < clock.t_count; ++i)
    step(scan_.reverse ? clock.t_count - 1 - i : i, sequences, sources, step_clock);
}

// Time is the first axis of every sequence, so the values at a position are one contiguous row.
void ScanRun::step(std::int64_t i, std::span<const Tensor* const> sequences, const Sources& sources,
                   const Clock& step_clock) {
  for (std::size_t k = 0; k < items_.size(); ++k) {
    const Tensor& x = *sequences[k];
    items_[k].axes = x.axes;
    items_[k].axes.erase(0);
    items_[k].dims.assign(x.dims.begin() + 1, x.dims.end());
    const auto row = static_cast<std::ptrdiff_t>(x.data.size()) / x.dims[0];
    items_[k].data.assign(x.data.begin() + i * row, x.data.begin() + (i + 1) * row);
  }
  body_.run(varying_, sources, step_clock);
  const std::vector<NodeId>& results = graph_.bodies[scan_.body].outputs;
  for (std::size_t k = 0; k < outputs_.size(); ++k) {
    const std::vector<double>& row = body_.value(results[states_.size() + k]).data;
    std::copy(row.begin(), row.end(), outputs_[k].data.begin() + i * static_cast<std::ptrdiff_t>(row.size()));
  }
  // Outputs may be arguments, so all new states are read before any state changes.
  for (std::size_t k = 0; k < states_.size(); ++k) next_[k] = body_.value(results[k]);
  for (std::size_t k = 0; k < states_.size(); ++k) std::swap(states_[k], next_[k]);
}

}  // namespace gabbro::exec
