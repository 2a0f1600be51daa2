// Learning rates: offspring inherit and vary them; before a comparison every design gets the same small
// search. A rate is stored as a factor on the learning rate of its rung. Scores are bits per byte; lower is
// better.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/random.h"
#include "evolve/ladder.h"
#include "evolve/population.h"

namespace gabbro::evolve {

/// The minimum number of rates that a search tries, and the maximum if the best lies at an edge. Rates are a
/// factor of two apart, around the rate that the design has at the rung below, since muP transfers rates
/// across widths (Yang et al. 2022, arXiv 2203.03466). Rates that differ by less train alike.
constexpr int kLeastRates = 3, kMostRates = 5;
/// The maximum for a design that is also tried at the rates of those it is compared with.
constexpr int kMostComparedRates = 8;
/// Largest difference between the best scores of two designs, in bits per byte, at which the choice of their
/// rates may decide which is better. No score changes by as much within half an octave.
constexpr double kNearScores = 0.1;

/// Returns the factor that a search around `middle` tries next, given the scores of those tried (infinite: no
/// score). It tries `middle`, half and twice as much, then goes beyond the edge if the best lies there, and
/// below all if none has a score, up to `most` rates. Returns nothing when the search is over.
std::optional<double> next_rate(const std::map<double, double>& scores, double middle, int most = kMostRates);

/// Scores of a design at a rung by seed and factor (infinite: no score). The smallest seed is that of the
/// search; runs on further seeds lie around the rate that it found.
using RateScores = std::map<std::uint64_t, std::map<double, double>>;

/// Returns the factor at which a parabola through the scores is lowest. The parabola is over the logarithm of
/// the rate, has a level of its own on each seed, and is fitted by weighted least squares. A score has the
/// variance of a run (0.01 bits per byte, squared), and that of what a parabola misses, which grows with the
/// distance from the lowest score of its seed; a cliff therefore hardly bends the curve elsewhere. The rate
/// of the lowest score would cost two to three times as much, since each score is one run, and the lowest is
/// often a lucky one at a wrong rate.
///
/// `expected` is the factor that is expected before any run, within a standard deviation of two octaves: the
/// less the scores tell, the nearer the result lies to it. Designs that are compared are thus trained alike
/// unless their scores speak against it (docs/campaigns.md, "Learning rates").
///
/// The result lies within the rates that have a score, in steps of a quarter octave. Where scores do not
/// curve upwards it is the expected factor, or that of the best on the first seed. Requires a finite score on
/// the first seed.
double fitted_rate(const RateScores& scores, std::optional<double> expected = {});

/// Returns what `rate` costs against the rate that the scores alone would choose, by the same parabola, in
/// bits per byte; at least 0.
double rate_loss(const RateScores& scores, double rate);
/// Returns the same for the rate of a design in the comparison with a leader; 0 for the leader itself. The
/// leader's lead over the design has to exceed it.
double rate_loss(const Population& population, const Leader& leader, std::int64_t design);

/// Returns true if the best rate is the lowest or the highest that a search on one seed tried, rates without
/// a score included. False for fewer than kLeastRates rates, or without any score.
bool is_at_edge(const std::map<double, double>& scores);

/// Returns the next rate to try on a further seed: the fitted one, half an octave below it, or half an octave
/// above. `scores` are those on that seed. Returns nothing if all three were tried.
std::optional<double> next_rate_around(double fitted, const std::map<double, double>& scores);

/// Returns the next run of the search for a design's rate at a rung. The run uses the first seed of the
/// campaign, which never judges. Returns nothing if the search is over, or if its next step depends on runs
/// under way.
std::optional<RunRequest> next_rate_run(const Population& population, std::int64_t design, int rung,
                                        std::uint64_t first_seed);

/// Returns the number of further seeds on which rates around the fitted one are tried before a comparison on
/// `seeds` seeds: one for seven. The more precise a comparison is, the smaller the error of a rate that looks
/// like a lead.
int further_rate_seeds(int seeds);
/// The number of rates on a further seed.
constexpr int kRatesAround = 3;

/// Returns the next run of the searches before a comparison on `seeds` seeds. Returns nothing if all are over
/// (`settled`), or if they wait for runs under way.
///
/// The leader and all designs it is compared with get the same search. Each of the latter is then also tried
/// at the leader's rate, and its search goes on while the best rate lies at an edge. At last come the further
/// seeds, each with the fitted rate and half an octave to either side, for the leader and all designs whose
/// best score is within 0.1 bits per byte of the leader's.
std::optional<RunRequest> next_rate_run(const Population& population, const Leader& leader,
                                        std::uint64_t first_seed, int seeds, bool& settled);

/// Bounds of a number of runs of searches for rates.
struct RateRuns {
  int least = 0, most = 0;
};
/// Returns the maximum number of runs of the searches before a comparison on `seeds` seeds, for a leader and
/// `others` designs. The leader has had its own run at the rung, and the others none.
int most_rate_runs(int others, int seeds);
/// Returns bounds of the number of runs that the searches before a comparison at `rung` on `seeds` seeds
/// still need.
RateRuns rate_runs_left(const Population& population, int rung, std::uint64_t first_seed, int seeds);

/// Returns the rate of a design's runs in the comparison of a leader, as a factor: fitted to its search, if
/// it has one at the rung; expected near the leader's for all others. Runs that began after the comparison's
/// first run do not count.
double compared_rate(const Population& population, const Leader& leader, std::int64_t design);

/// Returns true if the design's best rate at the rung is the lowest or the highest that its search tried,
/// among trials with ids smaller than `before`. False without a search.
bool is_rate_at_edge(const Population& population, const Individual& individual, int rung,
                     std::int64_t before = Population::kNoTrial);

/// One learning rate that was tried for a design at a rung.
struct TriedRate {
  double factor = 1, bits = 0;  // a bits value of 0: no score
  bool taken = false;           // it is the design's rate at the rung (Population::rate_of)
};
/// Returns the rates that were tried on the first seed of the search, in ascending order.
std::vector<TriedRate> tried_rates(const Population& population, std::int64_t design, int rung);

/// Number of runs around the fitted rate that have ended, and of the further seeds that they are on.
struct FurtherRates {
  int runs = 0, seeds = 0;
};
FurtherRates further_rates(const Population& population, std::int64_t design, int rung);

/// Returns the learning rate of an offspring, as a factor: that of the parent at the first rung (an id; 0: no
/// parent, factor 1). If the settings tune rates, it is varied with probability 1/2: multiplied or divided by
/// sqrt(2) or 2, within [1/8, 8].
double inherited_rate(const Population& population, std::int64_t parent, Random random);

}  // namespace gabbro::evolve
