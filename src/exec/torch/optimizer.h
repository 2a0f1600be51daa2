// Updates of the weights: AdamW for all parameters, or Muon for matrices.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "exec/model.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// The weights of a graph's parameters, in their order, with the state of the optimizer: `first` and `second`
/// are the moments of AdamW; parameters that Muon updates keep their momentum in `first`.
struct Parameters {
  std::vector<at::Tensor> weights, first, second;
  std::int64_t steps = 0;  // updates so far
};

/// Updates all weights in place. `gradient` has one tensor per parameter; it is multiplied by `factor`, which
/// clips it, and may be overwritten. The same arguments give the same bits with the same number of threads.
void apply(const ir::Graph& graph, Parameters& parameters, const std::vector<at::Tensor>& gradient,
           double factor, const Update& update);

/// Returns a matrix with the singular vectors of `matrix` [out, in] whose singular values lie between about
/// 0.7 and 1.2, by five Newton-Schulz iterations of degree five (Jordan et al. 2024, "Muon: An optimizer for
/// hidden layers in neural networks"). A zero matrix stays zero. Costs about 10 min(out, in)^2 max(out, in)
/// multiplications.
at::Tensor orthogonalized(const at::Tensor& matrix);

}  // namespace gabbro::exec::torch
