// Which backend a trial runs on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "exec/model.h"
#include "ir/graph.h"

namespace gabbro::trial {

/// Makes a model of a graph, its first weights drawn from `seed`.
using MakeModel = std::function<std::unique_ptr<exec::Model>(const ir::Graph& graph, std::uint64_t seed)>;

struct BackendOptions {
  std::string device = "cpu";
  int threads = 1;
  std::int64_t rows = 0;  // sequences at a time; 0: all
  std::string dtype = "float32";
  bool recompute = false;  // activations for the gradient instead of keeping them
};

/// The torch backend. A dtype that it does not know counts as float32.
MakeModel torch_backend(const BackendOptions& options = {});

/// What one rounding of a weight in products is, relative: 2^-9 in bf16, else that of float32, 2^-24.
double rounding_of(const std::string& dtype);

}  // namespace gabbro::trial
