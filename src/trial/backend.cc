#include "trial/backend.h"

#include "exec/torch/model.h"

namespace gabbro::trial {

MakeModel torch_backend(const BackendOptions& o) {
  exec::torch::ModelOptions options{
      .device = o.device, .threads = o.threads, .rows = o.rows, .recompute = o.recompute};
  options.precision = precision_of(o.dtype);
  return [=](const ir::Graph& graph, std::uint64_t seed) {
    return exec::torch::make_model(graph, seed, options);
  };
}

exec::torch::Precision precision_of(record::Dtype dtype) {
  using exec::torch::Precision;
  return dtype == record::Dtype::kBf16      ? Precision::kBFloat16
         : dtype == record::Dtype::kFloat64 ? Precision::kFloat64
                                            : Precision::kFloat32;
}

double rounding_of(record::Dtype dtype) { return dtype == record::Dtype::kBf16 ? 0x1.0p-9 : 0x1.0p-24; }

}  // namespace gabbro::trial
