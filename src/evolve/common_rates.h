// Learning rates of designs that are compared with each other at equal standing, as in a study of scale. The
// rules are those of a leader and its baselines (evolve/rates.h), applied to each design alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "evolve/rates.h"
#include "record/scale.h"

namespace gabbro::evolve {

/// A run of the searches.
struct RateRun {
  std::size_t design = 0;  // index of the design, from 0
  std::uint64_t seed = 0;
  double rate = 0;  // a factor
};

/// Returns the next run of the searches for the rates of designs that will be compared on `seeds` seeds;
/// nothing when they are over. Requires that no run is under way.
///
/// All designs are tried at the same rates on the first seed: `middle`, half and twice as much, then beyond
/// the edge while the best of any design lies there, up to kMostComparedRates. Then come the further seeds
/// (further_rate_seeds), each with kRatesAround rates, for the designs whose best score is within kNearScores
/// of another's. Without a score of each design on the first seed, there are no further seeds.
std::optional<RateRun> next_rate_run(const std::vector<RateScores>& designs, double middle,
                                     std::uint64_t first_seed, int seeds);

/// Returns bounds of the number of runs of these searches.
RateRuns rate_runs(int designs, int seeds);

/// Returns the rate of each design: fitted to its scores, and expected at the rate that is fitted to the
/// scores of all. Requires a finite score of each design on the first seed.
std::vector<double> compared_rates(const std::vector<RateScores>& designs);

/// Returns the scores of a study's searches by design. Impossible numbers count as no score.
std::vector<RateScores> rate_scores(const record::ScaleStudy& study);

/// Returns true if the design has a score on the first seed of its search.
bool has_score(const RateScores& scores);

}  // namespace gabbro::evolve
