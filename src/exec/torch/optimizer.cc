#include "exec/torch/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace gabbro::exec::torch {

namespace {

constexpr double kMomentum = 0.95;

// The learning rate of a parameter, as muP gives it.
double rate_of(const ir::Graph& graph, const ir::Param& param, const Update& update) {
  const double table = param.role == ir::Role::kInput    ? update.input
                       : param.role == ir::Role::kOutput ? update.output
                                                         : 1;
  if (param.fan_in.empty()) return table * update.rate;
  return table * (update.rate * update.base_fan_in / static_cast<double>(ir::elements(graph, param.fan_in)));
}

double decay_of(const ir::Param& param, const Update& update) {
  return !param.fan_in.empty() || param.role == ir::Role::kInput ? update.decay : 0;
}

// A parameter as a matrix: the axes contracted with the input are its columns.
struct MatrixView {
  std::vector<std::int64_t> order;  // permutes the parameter's axes: rows first
  std::int64_t rows = 1, columns = 1;
};

MatrixView matrix_view(const ir::Graph& graph, const ir::Param& param) {
  MatrixView out;
  for (const bool is_column : {false, true})
    for (int i = 0; i < param.axes.size(); ++i) {
      const auto found = std::find(param.fan_in.begin(), param.fan_in.end(), param.axes[i]);
      if ((found != param.fan_in.end()) != is_column) continue;
      out.order.push_back(i);
      (is_column ? out.columns : out.rows) *= graph.axes[param.axes[i]].size;
    }
  return out;
}

// Muon is for matrices within the stack. The embedding tables and what has a single row or column, whose
// orthogonalisation would only fix its length, are left to AdamW.
bool is_for_muon(const ir::Param& param, const MatrixView& view) {
  return !param.fan_in.empty() && param.role != ir::Role::kInput && param.role != ir::Role::kOutput &&
         view.rows > 1 && view.columns > 1;
}

void muon(at::Tensor& weight, at::Tensor& momentum, const at::Tensor& gradient, const MatrixView& view,
          double rate, double decay, const Update& update) {
  // As large an update as AdamW's, whose elements have a root mean square of about 0.2, at the base fan-in
  // (Liu et al. 2025, arXiv 2502.16982, section 2.2). The spectral norm grows as sqrt(rows / columns), so
  // that one learning rate serves all widths (Yang et al. 2023, arXiv 2310.17813).
  constexpr double kElement = 0.2;
  const double scale = kElement * std::sqrt(update.base_fan_in * static_cast<double>(view.rows) /
                                            static_cast<double>(view.columns));
  momentum.lerp_(gradient, 1 - kMomentum);
  const at::Tensor ahead = gradient.lerp(momentum, kMomentum).permute(view.order);
  const at::Tensor direction = orthogonalized(ahead.reshape({view.rows, view.columns}));
  std::vector<std::int64_t> back(view.order.size());
  for (std::size_t i = 0; i < back.size(); ++i)
    back[static_cast<std::size_t>(view.order[i])] = static_cast<std::int64_t>(i);
  weight.mul_(1 - rate * decay);
  weight.sub_(direction.reshape(ahead.sizes()).permute(back), scale * update.rate);
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
    if (update.rule == Rule::kMuon) {
      if (const MatrixView view = matrix_view(graph, param); is_for_muon(param, view)) {
        muon(parameters.weights[i], parameters.first[i], gradient[i] * factor, view, rate, decay, update);
        continue;
      }
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
