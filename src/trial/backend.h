// The choice of the backend on which a trial runs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "exec/model.h"
#include "exec/pytorch/python.h"
#include "exec/torch/model.h"
#include "ir/graph.h"
#include "lang/check.h"
#include "record/spelling.h"

namespace gabbro::trial {

/// Makes a model of a graph, with initial weights drawn from `seed`.
using MakeModel = std::function<std::unique_ptr<exec::Model>(const ir::Graph& graph, std::uint64_t seed)>;

struct BackendOptions {
  int threads = 1;
  std::int64_t rows = 0;  // sequences of a micro-batch; 0: all of the batch
  record::Dtype dtype = record::Dtype::kFloat32;
  bool compile = false;     // of the PyTorch backend alone: uses torch.compile where it is faster
  bool as_written = false;  // of the torch backend alone: runs the graph without any rewrite
  bool recompute = false;   // of the torch backend alone: recomputes activations instead of keeping them
};

/// Returns the torch backend.
MakeModel torch_backend(const BackendOptions& options = {});

/// Returns the PyTorch backend for graphs of the last design of `program`, which `subject` holds at its size.
/// Models start with exactly the weights of the torch backend, and decode through it. `python` must outlive
/// them. Errors: "export" if the design cannot be written as a module, with the reason; "python" if `python`
/// is null.
Result<MakeModel> pytorch_backend(exec::pytorch::Python* python, const std::string& program,
                                  const lang::Subject& subject, const BackendOptions& options);

exec::torch::Precision precision_of(record::Dtype dtype);

/// Returns the relative rounding error of a weight in products: 2^-9 in bf16, otherwise that of float32,
/// 2^-24.
double rounding_of(record::Dtype dtype);

/// Returns the bf16 value that is nearest to `v`.
double to_bf16(double v);

}  // namespace gabbro::trial
