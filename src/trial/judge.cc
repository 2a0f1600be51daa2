#include "trial/judge.h"

#include <fmt/format.h>

#include "trial/backend.h"
#include "trial/resources.h"

namespace gabbro::trial {

namespace {
// Sums over pairs of positions, which rewrites turn into convolutions, take minutes in longer rows.
constexpr std::int64_t kLongestWritten = 512;
}  // namespace

std::int64_t bytes_left(const record::TrialSpec& spec, std::int64_t elsewhere) {
  return spec.memory > 0 ? spec.memory - resident_bytes() - elsewhere : available_bytes();
}

Judge make_judge(const ir::Graph& graph, const record::TrialSpec& spec, std::int64_t length, Judged what,
                 std::int64_t left) {
  BackendOptions options{.threads = spec.threads, .dtype = record::Dtype::kFloat64};
  options.recompute = what == Judged::kRecomputedGradient;
  const bool is_short = length <= kLongestWritten;
  options.as_written = what == Judged::kLosses && is_short;
  Judge out{torch_backend(options)(graph, spec.seed), ""};
  if (what == Judged::kLosses && !is_short)
    out.note = fmt::format("; float64 with rewrites, since rows are longer than {}", kLongestWritten);
  const std::int64_t needed = options.as_written ? out.model->score_bytes(1, length) : 0;
  if (needed <= left) return out;
  options.as_written = false;
  out.model = torch_backend(options)(graph, spec.seed);
  constexpr double kMib = 1 << 20;
  out.note = fmt::format("; float64 with rewrites: as written it takes {:.0f} MiB, and {:.0f} are left",
                         static_cast<double>(needed) / kMib, static_cast<double>(left) / kMib);
  return out;
}

}  // namespace gabbro::trial
