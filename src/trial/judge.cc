#include "trial/judge.h"

#include <fmt/format.h>

#include "trial/backend.h"

namespace gabbro::trial {

Judge make_judge(const ir::Graph& graph, const record::TrialSpec& spec, std::int64_t length,
                 std::int64_t left) {
  constexpr std::int64_t kLongestWritten = 512;
  constexpr double kMib = 1 << 20;
  BackendOptions options{.threads = spec.threads, .dtype = record::Dtype::kFloat64, .as_written = true};
  std::string why = fmt::format("rows are longer than {}", kLongestWritten);
  if (length <= kLongestWritten) {
    Judge written{torch_backend(options)(graph, spec.seed), ""};
    const std::int64_t needed = written.model->score_bytes(1, length);
    if (needed <= left) return written;
    why = fmt::format("as written it takes {:.0f} MiB, and {:.0f} are left",
                      static_cast<double>(needed) / kMib, static_cast<double>(left) / kMib);
  }
  options.as_written = false;
  return {torch_backend(options)(graph, spec.seed), "; float64 with rewrites: " + why};
}

}  // namespace gabbro::trial
