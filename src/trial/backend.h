// The choice of the backend on which a trial runs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "exec/model.h"
#include "exec/torch/model.h"
#include "ir/graph.h"
#include "record/spelling.h"

namespace gabbro::trial {

/// Makes a model of a graph, with initial weights drawn from `seed`.
using MakeModel = std::function<std::unique_ptr<exec::Model>(const ir::Graph& graph, std::uint64_t seed)>;

struct BackendOptions {
  std::string device = "cpu";
  int threads = 1;
  std::int64_t rows = 0;  // sequences of a micro-batch; 0: all of the batch
  record::Dtype dtype = record::Dtype::kFloat32;
  bool recompute = false;  // Recomputes activations for the gradient instead of keeping them.
};

/// Returns the torch backend.
MakeModel torch_backend(const BackendOptions& options = {});

exec::torch::Precision precision_of(record::Dtype dtype);

/// Returns the relative rounding error of a weight in products: 2^-9 in bf16, otherwise that of float32,
/// 2^-24.
double rounding_of(record::Dtype dtype);

}  // namespace gabbro::trial
