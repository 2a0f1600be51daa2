#include "trial/backend.h"

#include <bit>

#include "exec/pytorch/model.h"
#include "exec/torch/model.h"
#include "export/sized.h"

namespace gabbro::trial {

MakeModel torch_backend(const BackendOptions& o) {
  exec::torch::ModelOptions options{
      .threads = o.threads, .as_written = o.as_written, .rows = o.rows, .recompute = o.recompute};
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

Result<MakeModel> pytorch_backend(exec::pytorch::Python* python, const std::string& program,
                                  const lang::Subject& subject, const BackendOptions& o) {
  if (!python) return fail("python", "this worker was started without Python");
  GABBRO_TRY(module, gabbro::pytorch::module_of(program, subject));
  return [=, module = std::move(module)](const ir::Graph& graph, std::uint64_t seed) {
    exec::pytorch::ModelOptions options{.dtype = std::string(record::word_of(o.dtype)),
                                        .threads = o.threads,
                                        .rows = o.rows,
                                        .compile = o.compile};
    options.decode = [=](const std::vector<exec::NamedArray>& weights, const exec::TokenBatch& batch) {
      const auto model = torch_backend({.threads = o.threads, .dtype = o.dtype})(graph, 0);
      return model->restore(weights) ? model->decoded_losses(batch) : std::vector<float>();
    };
    return exec::pytorch::make_model(*python, graph, module, exec::torch::initial_weights(graph, seed),
                                     options);
  };
}

double rounding_of(record::Dtype dtype) { return dtype == record::Dtype::kBf16 ? 0x1.0p-9 : 0x1.0p-24; }

double to_bf16(double v) {
  // A bf16 value is the upper half of a float32.
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(v));
  return std::bit_cast<float>((bits + 0x7FFFU + ((bits >> 16) & 1U)) & 0xFFFF0000U);
}

}  // namespace gabbro::trial
