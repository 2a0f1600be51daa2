// Learning rates: offspring inherit and vary them; before a comparison every design gets the same small
// search.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/random.h"
#include "evolve/ladder.h"
#include "evolve/population.h"

namespace gabbro::evolve {

/// The minimum number of rates that a search tries, and the maximum if the best lies at an edge. Rates are a
/// factor of two apart, around the rate that the design has at the rung below. Rates that differ by less
/// train alike (muP transfers rates across widths: Yang et al. 2022, arXiv 2203.03466).
constexpr int kLeastRates = 3, kMostRates = 5;

/// Returns the factor that a search around `middle` tries next, given the scores of those tried (infinite: no
/// score). It tries `middle`, half and twice as much, then goes beyond the edge if the best lies there, and
/// below all if none has a score. Returns nothing when the search is over.
std::optional<double> next_rate(const std::map<double, double>& scores, double middle);

/// Returns the factor at which the scores of a search are lowest: that of a parabola over the logarithm of
/// the rate, fitted by least squares to the best score, those of the two rates nearest to it, and all scores
/// within 0.1 bits per byte of it. Each score is one run; the lowest of them is often a lucky one at a wrong
/// rate, and costs two to three times as much (docs/campaigns.md, "Learning rates"). The factor lies within
/// the rates that were fitted, in steps of a quarter octave; with fewer than three finite scores, or where
/// they do not curve upwards, it is that of the best. Requires a finite score.
double fitted_rate(const std::map<double, double>& scores);

/// Returns the next run of the search for a design's rate at a rung. The run uses the first seed of the
/// campaign, which never judges. Returns nothing if the search is over, or if its next step depends on runs
/// under way.
std::optional<RunRequest> next_rate_run(const Population& population, std::int64_t design, int rung,
                                        std::uint64_t first_seed);

/// Returns true if that search is over.
bool is_rate_settled(const Population& population, std::int64_t design, int rung, std::uint64_t first_seed);

/// Returns the next run of these searches for the leader of a campaign and all designs it is compared with.
/// Returns nothing if all are over (`settled`), or if they wait for runs under way.
std::optional<RunRequest> next_rate_run(const Population& population, const Leader& leader,
                                        std::uint64_t first_seed, bool& settled);

/// Returns the number of runs to reserve for these searches before a comparison at a rung: the maximum for
/// the leader, and the minimum for the designs it is compared with. At the first rung the latter have
/// completed their searches before anything else.
int rate_runs_left(const Population& population, int rung, std::uint64_t first_seed);

/// Returns the rate of a design's runs in the final comparison, as a factor: fitted to its search, if it has
/// one at the rung.
double compared_rate(const Population& population, const Individual& individual, int rung);

/// Returns true if the design's best rate at the rung is the lowest or the highest that its search tried.
/// False without a search.
bool is_rate_at_edge(const Population& population, const Individual& individual, int rung);

/// One learning rate that was tried for a design at a rung.
struct TriedRate {
  double factor = 1, bits = 0;  // a bits value of 0: no score
  bool taken = false;
};
std::vector<TriedRate> tried_rates(const Population& population, std::int64_t design, int rung);

/// Returns the learning rate of an offspring, as a factor. It is the parent's at the first rung, multiplied
/// with probability 1/2 by sqrt(2) or 2 or divided by one of them, within [1/8, 8].
double inherited_rate(const Population& population, std::int64_t parent, Random random);

}  // namespace gabbro::evolve
