#include "trial/backend.h"

#include "exec/torch/model.h"

namespace gabbro::trial {

MakeModel torch_backend(const std::string& device, int threads, std::int64_t rows) {
  return [=](const ir::Graph& graph, std::uint64_t seed) {
    return exec::torch::make_model(graph, seed, {.device = device, .threads = threads, .rows = rows});
  };
}

}  // namespace gabbro::trial
