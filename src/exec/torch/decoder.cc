#include "exec/torch/decoder.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "exec/torch/stepper.h"

namespace gabbro::exec::torch {

namespace {

std::vector<at::Tensor> tensors_of(const ir::Graph& graph, const std::vector<NamedArray>& weights) {
  std::vector<at::Tensor> out;
  for (const ir::Param& param : graph.params) {
    const auto found = std::find_if(weights.begin(), weights.end(),
                                    [&](const NamedArray& a) { return a.name == param.name; });
    GABBRO_CHECK(found != weights.end());
    out.push_back(at::from_blob(const_cast<float*>(found->data.data()), found->shape, at::kFloat).clone());
  }
  return out;
}

}  // namespace

struct Decoder::State {
  ir::Graph graph;  // the stepper refers to it
  int threads;
  Stepper stepper;

  State(const ir::Graph& g, const std::vector<NamedArray>& weights, int count)
      : graph(g),
        threads(count),
        stepper(graph, std::vector<ir::NodeId>{graph.bodies[0].outputs.at(0)}, tensors_of(graph, weights),
                {.dtype = at::kFloat}) {}
};

Decoder::Decoder(const ir::Graph& graph, const std::vector<NamedArray>& weights, int threads) {
  at::set_num_threads(threads);
  state_ = std::make_unique<State>(graph, weights, threads);
}
Decoder::~Decoder() = default;

std::vector<float> Decoder::step(std::int64_t token) {
  at::set_num_threads(state_->threads);
  const at::Tensor tokens = at::full({1}, token, at::kLong);
  const at::Tensor logits = state_->stepper.step(tokens)[0].to(at::kFloat).contiguous();
  return {logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel()};
}

}  // namespace gabbro::exec::torch
