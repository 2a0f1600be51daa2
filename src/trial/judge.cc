#include "trial/judge.h"

#include <fmt/format.h>

#include "trial/backend.h"
#include "trial/resources.h"

namespace gabbro::trial {

std::int64_t bytes_left(const record::TrialSpec& spec, std::int64_t elsewhere) {
  return spec.memory > 0 ? spec.memory - resident_bytes() - elsewhere : available_bytes();
}

Judge make_judge(const ir::Graph& graph, const record::TrialSpec& spec, std::int64_t length, Judged what,
                 std::int64_t left) {
  BackendOptions options{.threads = spec.threads, .dtype = record::Dtype::kFloat64, .as_written = true};
  options.recompute = what == Judged::kRecomputedGradient;
  Judge out{torch_backend(options)(graph, spec.seed), ""};
  const std::int64_t needed =
      what == Judged::kLosses ? out.model->score_bytes(1, length) : out.model->step_bytes(1, length);
  if (needed <= left) return out;
  options.as_written = false;
  out.model = torch_backend(options)(graph, spec.seed);
  constexpr double kMib = 1 << 20;
  out.note = fmt::format("; float64 with rewrites: as written it takes {:.0f} MiB, and {:.0f} are left",
                         static_cast<double>(needed) / kMib, static_cast<double>(left) / kMib);
  return out;
}

}  // namespace gabbro::trial
