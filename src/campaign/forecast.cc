#include "campaign/forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "campaign/format.h"
#include "campaign/preset.h"
#include "evolve/ablate.h"
#include "evolve/rates.h"
#include "evolve/screen.h"
#include "zoo/library.h"

namespace gabbro::campaign {

namespace {

using evolve::Rung;
using evolve::SearchSettings;

std::string hours(double seconds) {
  return seconds < 360 ? fmt::format("{:.1g}", seconds / 3600) : amount(seconds / 3600);
}

}  // namespace

Result<std::vector<RungForecast>> forecast(const SearchSettings& s, const AssumedSpeed& speed) {
  std::vector<std::string> known = s.baselines;
  known.insert(known.end(), s.controls.begin(), s.controls.end());
  if (known.empty()) return fail("preset", "a forecast needs a baseline", "add one to `baselines`");
  const auto others = static_cast<int>(known.size());
  std::vector<RungForecast> out;
  for (const Rung& r : s.rungs) {
    RungForecast& f = out.emplace_back();
    f.name = r.name, f.params = r.params, f.tokens = r.tokens;
    f.on_gpu = r.device != "cpu", f.gpus = r.gpus;
    const auto tokens = static_cast<double>(r.tokens);
    f.lowest_flops = INFINITY;
    for (const std::string& file : known) {
      auto flops = evolve::train_flops_at(baseline_program(s, file), r, s, zoo::library());
      if (!flops) {
        flops.error().message = fmt::format("{} at the rung {}: {}", file, r.name, flops.error().message);
        return tl::unexpected(flops.error());
      }
      const double run = *flops * tokens;
      f.lowest_flops = std::min(f.lowest_flops, run);
      f.highest_flops = std::max(f.highest_flops, run);
      f.mean_flops += run / others;
    }
    f.mean_seconds = f.mean_flops / (f.on_gpu ? speed.gpu_peak * speed.utilisation * f.gpus : speed.cpu);
    constexpr double kFloat = 4, kCopies = 4;  // weights, gradients, two moments
    f.memory_floor = kCopies * kFloat * static_cast<double>(r.params) +
                     2 * kFloat * static_cast<double>(r.length * s.vocab);
    if (r.designs > 0) f.search_runs = (r.designs + others) * r.seeds;
  }
  // At the first rung, known designs are tried at several rates, one of which is that of their run.
  if (s.tune_rates && out.front().search_runs) *out.front().search_runs += others * (evolve::kMostRates - 1);
  out.back().final_runs = (1 + others + (s.ablate ? evolve::kMostAblations : 0)) * s.final_seeds +
                          (s.tune_rates ? evolve::most_rate_runs(others, s.final_seeds) : 0);
  return out;
}

std::string forecast_text(const SearchSettings& s, const AssumedSpeed& speed,
                          const std::vector<RungForecast>& rungs) {
  std::string out = fmt::format("{}: {}, {}, {}; a vocabulary of {} tokens\n\n", one_line(s.preset, 60),
                                count_of(static_cast<std::int64_t>(rungs.size()), "rung"),
                                count_of(static_cast<std::int64_t>(s.baselines.size()), "baseline"),
                                count_of(static_cast<std::int64_t>(s.controls.size()), "control"), s.vocab);
  out += fmt::format("{:<8}{:>8}{:>9}{:>19}{:>10}{:>10}{:>9}{:>12}  {}\n", "rung", "params", "tokens",
                     "FLOPs of a run", "hours", "memory", "runs", "all hours", "on");
  double cpu = 0, gpu = 0;
  bool is_open = false;
  for (const RungForecast& f : rungs) {
    const std::int64_t runs = f.search_runs.value_or(0) + f.final_runs;
    const double all = static_cast<double>(runs) * f.mean_seconds * (f.on_gpu ? f.gpus : 1);
    (f.on_gpu ? gpu : cpu) += all;
    is_open = is_open || !f.search_runs;
    out += fmt::format("{:<8}{:>8}{:>9}{:>19}{:>10}{:>10}{:>9}{:>12}  {}\n", one_line(f.name, 8),
                       amount(static_cast<double>(f.params)), amount(static_cast<double>(f.tokens)),
                       fmt::format("{} to {}", amount(f.lowest_flops), amount(f.highest_flops)),
                       hours(f.mean_seconds), amount(f.memory_floor) + "B",
                       f.search_runs      ? std::to_string(runs)
                       : f.final_runs > 0 ? fmt::format("? + {}", runs)
                                          : "?",
                       f.search_runs ? hours(all) : "?", f.on_gpu ? count_of(f.gpus, "GPU") : "CPU");
  }
  out +=
      fmt::format("\nIn all up to {} hours of CPU runs and {} GPU hours, with one final comparison{}.\n",
                  hours(cpu), hours(gpu),
                  is_open ? ", without the runs of rungs that set no number of `designs`: there the budget "
                            "(--minutes, --trials) decides"
                          : "");
  out += fmt::format(
      "Assumed: {}FLOP/s for a run on the CPU; {:.0f} % of {}FLOP/s for a GPU (--cpu-speed, --utilisation, "
      "--gpu-peak). FLOPs and hours are those of the baselines and controls, hours in the mean; a design of "
      "the search may cost up to {:g} times the most expensive one. Memory is the least: weights, gradients, "
      "moments, and the logits of one sequence; activations come on top. The last rung includes the final "
      "comparison on {} seeds, its searches for learning rates and {}; hurdles save a part of the runs. Runs "
      "that have to be repeated come on top, and so does the comparison of another leader after the first.\n",
      amount(speed.cpu), 100 * speed.utilisation, amount(speed.gpu_peak), s.limits.train_flops, s.final_seeds,
      s.ablate ? fmt::format("ablations of {} parts", evolve::kMostAblations) : "no ablations");
  return out;
}

}  // namespace gabbro::campaign
