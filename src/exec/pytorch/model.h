// The PyTorch backend: a design as a PyTorch module (src/export) in a Python process, behind exec::Model.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exec/model.h"
#include "exec/pytorch/python.h"
#include "export/export.h"
#include "ir/graph.h"

namespace gabbro::exec::pytorch {

/// Decodes a batch with the given weights: Model::decoded_losses by another backend.
using Decode = std::function<std::vector<float>(const std::vector<NamedArray>& weights, const TokenBatch&)>;

struct ModelOptions {
  std::string dtype = "float32";  // or "bf16" (autocast; weights stay in float32), "float64"
  int threads = 1;
  // Sequences of a micro-batch; 0: the whole batch. Python halves it where memory is short.
  std::int64_t rows = 0;
  bool compile = false;  // uses torch.compile where it is faster
  Decode decode;         // empty: the model does not decode
};

/// Makes a model in `python`, which must outlive it, with the weights `weights` of `graph`. `module` was
/// written from the design of `graph`, whose embedding may have been untied since (trial/leak_check.h). Calls
/// throw std::runtime_error where the process fails.
std::unique_ptr<Model> make_model(Python& python, const ir::Graph& graph,
                                  const gabbro::pytorch::Module& module,
                                  const std::vector<NamedArray>& weights, const ModelOptions& options);

}  // namespace gabbro::exec::pytorch
