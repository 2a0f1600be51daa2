// Decides the next run of a campaign: baselines, promotions by asynchronous successive halving, replicated
// seeds and the final comparison.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

/// In kSearch, the ladder runs and new designs are created. In kFinal, the winner and the known designs run
/// with replicated seeds at the highest rung that was reached, followed by the winner's ablations.
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

/// Size of a block of seeds. The search uses block 0, and each final comparison has an unused block of its
/// own, so that the runs that selected the winner do not judge it. The same holds for the next comparison,
/// since the outcome of the previous one may have selected the new leader.
constexpr std::uint64_t kSeedBlock = 1000;

/// Returns the next run of an existing design. Returns nothing if a new design is needed (kSearch) or nothing
/// is left to do (kFinal). A function of the population alone. O(designs x rungs).
///
/// Known designs come first, from the first rung on, at every rung that a candidate may enter. Then, from the
/// highest rung down, come runs with further seeds and promotions. Of the n candidates whose runs at a rung
/// are over, the best promote_fraction * n may be promoted, the best first (Li et al. 2020, arXiv
/// 1810.05934). No design is promoted above the rung `top`; the default is above every ladder. All designs
/// use the seeds first_seed, first_seed + 1, ..., so that runs can be compared in pairs.
///
/// The final comparison (evolve/comparison.h) has no runs before it has begun. It goes seed by seed: the
/// leader, then the designs it is compared with. Once it is complete and the leader is ahead, the ablations
/// run.
std::optional<RunRequest> next_run(const Population& population, std::uint64_t first_seed, Phase phase,
                                   int top = 1000);

/// Returns the training loss above which a run is stopped, for each of SearchSettings::hurdles: a quantile of
/// earlier runs on the same data order (`seed`). It is infinite while there are too few of them.
std::vector<double> hurdles(const Population& population, int rung, std::uint64_t seed);

/// The highest rung at which a candidate is done, and the best candidate there; rung is -1 if there is none.
struct Leader {
  int rung = -1;
  std::int64_t design = 0;  // id; 0: none
};
Leader leader(const Population& population);

}  // namespace gabbro::evolve
