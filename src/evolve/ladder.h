// Decides the next run of a campaign: baselines, promotions by asynchronous successive halving, replicated
// seeds and the final comparison.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

/// In kSearch, the ladder runs and new designs are created. In kFinal, the leader and the known designs run
/// on fresh seeds at the leader's rung, followed by repeated checks of an implausible lead and by ablations.
enum class Phase : std::uint8_t { kSearch, kFinal };

/// A run that should begin.
struct RunRequest {
  std::int64_t design = 0;  // id
  int rung = 0;             // index into SearchSettings::rungs, as everywhere in this folder
  std::uint64_t seed = 1;
  record::Purpose purpose = record::Purpose::kRung;
  std::string promotion;  // the reason of the promotion if this run enters the rung; otherwise ""
  double rate = 1;        // factor on the rung's learning rate
};

/// Number of seeds in a block: block k begins at first_seed + k * kSeedBlock. The search uses block 0. Each
/// final comparison has a block that no run has used, since earlier runs, those of earlier comparisons
/// included, may have selected its leader.
constexpr std::uint64_t kSeedBlock = 1000;

/// Returns the next run of an existing design. Returns nothing in kSearch if a new design is needed, and in
/// kFinal if no run can begin now: the comparison has not begun, waits for runs in progress, or is over. A
/// function of its arguments alone. O(designs x rungs).
///
/// Known designs come first, from the first rung on, at every rung that a candidate has entered. At the first
/// rung, they and user designs are also searched for their learning rates (evolve/rates.h). Then come runs by
/// hand: one seed at each rung to which the user promoted a design, where `may_run_by_hand` (none: nowhere)
/// is true of the rung. They decide nothing. Then, from the highest rung down, come runs with further seeds
/// and promotions. Of the n candidates whose runs at a rung are over, the best promote_fraction * n may be
/// promoted, the best first (Li et al. 2020, arXiv 1810.05934); the rung's `designs` and `evidence` may
/// forbid it, and user designs need no rank. No design is promoted above the rung `top`; the default is above
/// every ladder. In the search, all designs use the seeds first_seed, first_seed + 1, ..., so that runs can
/// be compared in pairs.
///
/// The final comparison (evolve/comparison.h) has no runs before it has begun. It goes seed by seed: the
/// leader, then the designs it is compared with. Once it is complete and the leader is ahead, an implausible
/// lead is checked again (Purpose::kRecheck). The ablations run unless such checks hold the lead back.
std::optional<RunRequest> next_run(const Population& population, std::uint64_t first_seed, Phase phase,
                                   int top = 1000, const std::function<bool(int)>& may_run_by_hand = {});

/// Returns the training loss above which a run is stopped, for each of SearchSettings::hurdles: a quantile
/// (1 - Rung::stop_fraction) of earlier runs at the rung on the same data order (`seed`). It is infinite
/// while there are too few of them, or if the rung stops no runs.
std::vector<double> hurdles(const Population& population, int rung, std::uint64_t seed);

/// The highest rung at which a candidate has a score, and the best candidate there: by its mean at its best
/// learning rate without a lost run, candidates with more of the rung's seeds first. `rung` is -1 if there is
/// none.
struct Leader {
  int rung = -1;
  std::int64_t design = 0;  // id; 0: none
};
Leader leader(const Population& population);

}  // namespace gabbro::evolve
