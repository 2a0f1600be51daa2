// Which run comes next: baselines, promotions by asynchronous successive halving, replicated seeds, the last
// comparison.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

/// search: the ladder, and new designs; final: the winner and the baselines at the last rung that was
/// reached, with replicated seeds, and the winner's ablations.
enum class Phase : std::uint8_t { kSearch, kFinal };

struct Wanted {
  std::int64_t design = 0;
  int rung = 0;
  std::uint64_t seed = 1;
  record::Purpose purpose = record::Purpose::kRung;
  std::string promotion;  // why it enters the rung, when it does so by this run; else ""
  double rate = 1;        // factor on the rung's
};

/// Seeds of the first last comparison start here, after the campaign's own: the runs that chose the winner do
/// not judge it. Those of the next one start as many behind, since a new leader was chosen by whatever the
/// first one showed.
constexpr std::uint64_t kFinalSeeds = 1000;

/// The next run of a design that exists; nothing: a new design is wanted (search), or there is no more to do.
/// First baselines, from the first rung on, at every rung that a candidate may enter; then, from the top,
/// runs with further seeds and promotions: of the n candidates whose runs at a rung are over, the best keep *
/// n may go on, the best first (Li et al. 2020, arXiv 1810.05934). Seeds are first_seed, first_seed + 1 ...
/// for all, so that runs are compared in pairs. In the last comparison (evolve/comparison.h; none of its runs
/// before it has begun) seed by seed: the leader, those it is compared with, and, once that is complete and
/// the leader ahead, its ablations. A function of the population alone. O(designs x rungs). No design enters
/// a rung above `top`.
std::optional<Wanted> next_run(const Population& population, std::uint64_t first_seed, Phase phase,
                               int top = 1000);

/// The losses at which a run should be stopped, one for each of Settings::hurdles: the quantile of earlier
/// runs on the same data order. Infinite while there are too few.
std::vector<double> hurdles(const Population& population, int rung, std::uint64_t seed);

/// The highest rung at which a candidate is done, and the best candidate there; rung -1 when there is none.
struct Leader {
  int rung = -1;
  std::int64_t design = 0;
};
Leader leader(const Population& population);

}  // namespace gabbro::evolve
