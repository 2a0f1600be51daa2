#include "trial/backend.h"

#include "exec/torch/model.h"

namespace gabbro::trial {

MakeModel torch_backend(const BackendOptions& o) {
  exec::torch::ModelOptions options{
      .device = o.device, .threads = o.threads, .rows = o.rows, .recompute = o.recompute};
  options.precision = exec::torch::precision_of(o.dtype).value_or(options.precision);
  return [=](const ir::Graph& graph, std::uint64_t seed) {
    return exec::torch::make_model(graph, seed, options);
  };
}

double rounding_of(const std::string& dtype) { return dtype == "bf16" ? 0x1.0p-9 : 0x1.0p-24; }

}  // namespace gabbro::trial
