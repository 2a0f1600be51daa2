// Learning rates: inherited and varied on the way up, and the same small search for all before a comparison.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/random.h"
#include "evolve/ladder.h"
#include "evolve/population.h"

namespace gabbro::evolve {

/// Rates that a search tries at least, and at most where the best lies at an edge: factors of two apart,
/// around the rate that the design has at the rung below. Two rates that differ by less train alike (muP
/// holds them over widths: Yang et al. 2022, arXiv 2203.03466).
constexpr int kLeastRates = 3, kMostRates = 5;

/// The factor that a search around `middle` tries next, from the scores of those tried (infinite: none):
/// `middle`, half and twice as much, then beyond the edge at which the best lies; nothing: it is over.
std::optional<double> next_rate(const std::map<double, double>& scores, double middle);

/// The next run of the search for a design's rate at a rung, on the first seed of the campaign, which judges
/// nothing; nothing: it is over, or what it tries next follows from runs that are under way. Where no rate
/// has a score there is nothing to be best, and it ends.
std::optional<Wanted> next_rate_run(const Population& population, std::int64_t design, int rung,
                                    std::uint64_t first_seed);

/// Whether that search is over.
bool is_rate_settled(const Population& population, std::int64_t design, int rung, std::uint64_t first_seed);

/// The same for the leader of a campaign and all that it is compared with: the next run; nothing where
/// `settled`, or where runs are waited for.
std::optional<Wanted> next_rate_run(const Population& population, const Leader& leader,
                                    std::uint64_t first_seed, bool& settled);

/// Runs to be kept for these searches before a comparison at a rung: the most that a leader may take, and the
/// fewest of those compared. At the first rung those compared have been searched for before anything else.
int rate_runs_left(const Population& population, int rung, std::uint64_t first_seed);

/// What is known of the rates of a design at a rung, by factor on the rung's rate.
struct TriedRate {
  double factor = 1, bits = 0;  // bits 0: no score
  bool taken = false;
};
std::vector<TriedRate> tried_rates(const Population& population, std::int64_t design, int rung);

/// The rate of an offspring: its parent's at the first rung, in one case of two moved by a factor of sqrt(2)
/// or 2 to either side, within [1/8, 8].
double inherited_rate(const Population& population, std::int64_t parent, Random random);

}  // namespace gabbro::evolve
