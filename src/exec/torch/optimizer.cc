#include "exec/torch/optimizer.h"

#include <ATen/ATen.h>

#include <map>
#include <utility>

#include "exec/rates.h"

namespace gabbro::exec::torch {

namespace {

void muon(at::Tensor& weight, at::Tensor& momentum, const at::Tensor& gradient, const MatrixView& view,
          double rate, double decay, const Update& update) {
  momentum.lerp_(gradient, 1 - kMuonMomentum);
  const at::Tensor ahead = gradient.lerp(momentum, kMuonMomentum).permute(view.order);
  const at::Tensor direction = orthogonalized(ahead.reshape({view.rows, view.columns}));
  std::vector<std::int64_t> back(view.order.size());
  for (std::size_t i = 0; i < back.size(); ++i)
    back[static_cast<std::size_t>(view.order[i])] = static_cast<std::int64_t>(i);
  weight.mul_(1 - rate * decay);
  weight.sub_(direction.reshape(ahead.sizes()).permute(back), muon_size(view, update));
}

// Parameters of one rate and decay, which are updated by one call.
struct Group {
  std::vector<at::Tensor> weights, gradient, first, second, steps;
};

}  // namespace

at::Tensor orthogonalized(const at::Tensor& matrix) {
  // The polynomial a x + b x^3 + c x^5 takes singular values in (0, 1] towards 1 quickly, small ones by a
  // factor of 3.4 each time.
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315, kLeastNorm = 1e-7;
  constexpr int kIterations = 5;
  const bool is_tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = is_tall ? matrix.t() : matrix;
  x = x / (at::linalg_vector_norm(x) + kLeastNorm);
  for (int i = 0; i < kIterations; ++i) {
    const at::Tensor square = x.mm(x.t());
    x = a * x + (b * square + c * square.mm(square)).mm(x);
  }
  return is_tall ? x.t() : x;
}

void apply(const ir::Graph& graph, Parameters& parameters, const std::vector<at::Tensor>& gradient,
           double factor, const Update& update) {
  ++parameters.steps;
  std::map<std::pair<double, double>, Group> groups;
  // The kernel reads both scalars in float32, whatever the weights are in.
  const at::TensorOptions scalar = parameters.weights[0].options().dtype(at::kFloat);
  const at::Tensor steps = at::full({}, static_cast<double>(parameters.steps), scalar);
  for (std::size_t i = 0; i < parameters.weights.size(); ++i) {
    const ir::Param& param = graph.params[i];
    const double rate = rate_of(graph, param, update), decay = decay_of(param, update);
    if (const auto view = muon_view(graph, param, update)) {
      muon(parameters.weights[i], parameters.first[i], gradient[i] * factor, *view, rate, decay, update);
      continue;
    }
    Group& group = groups[{rate, decay}];
    group.weights.push_back(parameters.weights[i]);
    group.gradient.push_back(gradient[i].contiguous());
    group.first.push_back(parameters.first[i]);
    group.second.push_back(parameters.second[i]);
    group.steps.push_back(steps);
  }
  const at::Tensor divisor = at::full({}, 1 / factor, scalar);
  for (auto& [rates, group] : groups)
    at::_fused_adamw_(group.weights, group.gradient, group.first, group.second, {}, group.steps, rates.first,
                      update.beta1, update.beta2, rates.second, update.epsilon,
                      /*amsgrad=*/false,
                      /*maximize=*/false, divisor);
}

}  // namespace gabbro::exec::torch
