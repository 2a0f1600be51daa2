#include "exec/torch/executor.h"

#include <c10/core/InferenceMode.h>

#include "exec/torch/body.h"
#include "exec/torch/memory.h"

namespace gabbro::exec::torch {

struct Executor::State {
  const ir::Graph& graph;
  std::vector<ir::NodeId> wanted;
  Settings settings;
  Body body;
};

Executor::Executor(const ir::Graph& graph, std::span<const ir::NodeId> wanted, Settings settings)
    : state_(new State{graph, {wanted.begin(), wanted.end()}, settings, Body(graph, 0, wanted, settings)}) {}
Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;

std::int64_t Executor::peak_bytes(std::int64_t sequences, std::int64_t length, int threads) const {
  return torch::peak_bytes(state_->graph, state_->body.plan(), state_->wanted, state_->settings, sequences,
                           length, threads);
}

std::vector<at::Tensor> Executor::run(std::span<const at::Tensor> params, const Batch& batch) {
  State& s = *state_;
  std::int64_t count = 1, length = 1;
  const auto read = [&](const at::Tensor& x) {
    count = x.size(0);
    length = x.size(1);
  };
  for (const ir::Node& node : s.graph.bodies[0].nodes)
    if (node.op == ir::Op::kInput && node.type.time() && node.index != s.settings.late_input &&
        static_cast<std::size_t>(node.index) < batch.inputs.size())
      read(batch.inputs[static_cast<std::size_t>(node.index)]);
  if (batch.tokens.defined()) read(batch.tokens);
  Sequence sequence(count, length, batch.starts);
  const c10::InferenceMode no_autograd;
  s.body.run_plan({.params = params, .batch = &batch, .args = {}, .sequence = &sequence});

  std::vector<at::Tensor> out;
  for (const ir::NodeId id : s.wanted) {
    const ir::Type& type = s.graph.node(0, id).type;
    at::Tensor x = s.body.value(id);
    if (type.past()) x = mask_pairs(x, s.body.form(id), sequence, type.window, 0);
    if (type.time() && x.size(0) < count) {
      std::vector<std::int64_t> sizes = x.sizes().vec();
      sizes[0] = count;
      x = x.expand(sizes);
    }
    out.push_back(x);
  }
  s.body.clear();
  return out;
}

}  // namespace gabbro::exec::torch
