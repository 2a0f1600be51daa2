// The last comparison: the leader against known designs, on seeds that nobody has used, whose number is fixed
// before the first of them runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evolve/ladder.h"
#include "evolve/population.h"
#include "evolve/statistics.h"

namespace gabbro::evolve {

/// A campaign claims something false with at most this probability, however many leaders it compares.
constexpr double kError = 0.05;
/// Of a comparison, at the effect that the preset names.
constexpr double kPower = 0.8;
/// Fewer seeds would leave a pair's own variance all but unknown.
constexpr int kLeastSeeds = 3;
/// The deviation of a run, in bits per byte, where no rung has told it yet (Llama at 150k parameters and 300k
/// tokens: docs/campaigns.md).
constexpr double kUnknownDeviation = 0.02;

/// The level of the k-th comparison of a campaign, k >= 1: kError * 6 / (pi k)^2. Their sum over all k is
/// kError.
double level_of(int number);

/// Those that a winner is compared with: the preset's baselines, in their order.
std::vector<std::int64_t> compared_with(const Population& population);

/// Whether the search could train the design at a rung, or has yet to see: one that it could not gets no runs
/// in a comparison.
bool is_trainable(const Population& population, std::int64_t design, int rung);

/// The variance of one run at a rung about what its design and its seed explain, pooled over all designs:
/// those of the search, and those of each comparison. With `begun`, of the runs that this comparison rests
/// on: its own, and all that had begun before them.
Variance run_variance(const Population& population, int rung, const record::ComparisonBegun* begun = nullptr);

/// Runs of two designs, the k-th of one beside the k-th of the other on one seed.
Paired paired(const std::vector<const Trial*>& of, const std::vector<const Trial*>& against);

/// The difference of two designs at a rung on the seeds of the search, which chose: for promotion and for
/// being shown. Negative: the first is better.
Interval compare(const Population& population, std::int64_t design, std::int64_t against, int rung,
                 double level = kError);

/// The comparison of this leader that has begun; null: none.
const record::ComparisonBegun* comparison_of(const Population& population, const Leader& leader);

/// The comparison that this leader should get: seeds after all that were used, their number such that the
/// preset's effect is seen with kPower, from kLeastSeeds to Settings::final_seeds and to what is
/// `affordable`. O(runs at the rung), a millisecond.
record::ComparisonBegun planned(const Population& population, std::uint64_t first_seed, const Leader& leader,
                                double affordable);

/// Runs on further seeds that repeat the checks of an implausible lead.
inline constexpr int kRechecks = 2;

/// A run that ended without a score.
struct Loss {
  std::int64_t design = 0;
  std::uint64_t seed = 0;
  record::Status status = record::Status::kFailed;
  std::string cause;
};
/// Runs of a design at a rung that ended without a score: of the search, and of the comparison if there is
/// one.
std::vector<Loss> losses(const Population& population, std::int64_t design, int rung,
                         const record::ComparisonBegun* begun);

/// One of those compared with the leader, or the leader without one of its parts.
struct Row {
  std::int64_t design = 0;
  Interval difference;       // the leader's score less its own; bounded once the comparison is complete
  int ended = 0;             // seeds on which its run and the leader's have ended
  bool trained = false;      // it has scores on enough of the seeds, or may still get them
  std::vector<Loss> losses;  // its own
};

/// What a comparison has come to.
struct Outcome {
  const record::ComparisonBegun* begun = nullptr;
  int ended = 0;                 // seeds on which all runs have ended
  bool complete = false;         // all seeds are
  std::vector<Row> rows;         // all of compared_with, the best score first, those without one last
  std::vector<Loss> losses;      // the leader's: with one of them nothing is claimed
  Variance run;                  // pooled at the rung
  int documents = 0;             // that they are scored on
  bool fresh_documents = false;  // that the search has not seen
  double spread = 0;             // deviation of the others' mean scores from each other
  bool ahead = false;            // of all that could be trained, as the intervals say
  bool contradicted = false;     // one that lost too many runs was better on those that are left
  bool implausible = false;      // the lead over the best is beyond what known designs make plausible
  /// The difference from the best on training text that no run of the pair has read, in bits per byte, on the
  /// comparison's seeds; without any where a corpus is no longer than what a run reads.
  Interval unread;
  bool unconfirmed = false;  // that text does not show half of the lead, or not surely: the program may hold
                             // the held-out documents
  int rechecked =
      0;  // of kRechecks runs that repeat the checks of an implausible lead, those in which all held
  std::vector<Loss> failed_rechecks;
  std::int64_t controls = 0, lost_controls = 0;  // of the preset, and of them those that could not be trained
  // The best baseline of the search against the best control of the comparison, on the comparison's seeds; 0:
  // none was trained.
  std::int64_t mixer = 0, control = 0;
  Interval over_control;
  /// Whether the rung can judge: the best known mixer is ahead of everything that sees few tokens. A control
  /// that was not trained may have been ahead of it.
  [[nodiscard]] bool judges_mixers() const {
    return controls == 0 || (lost_controls == 0 && over_control.below_zero());
  }
  /// Whether the lead is held back until its checks were repeated and held.
  [[nodiscard]] bool held_back() const { return implausible && rechecked < kRechecks; }
  [[nodiscard]] bool claims() const { return ahead && !unconfirmed && !held_back() && judges_mixers(); }
};
/// The first of the seeds on which the checks of an implausible lead are repeated.
std::uint64_t recheck_seed(const record::ComparisonBegun& begun);
/// A function of the population alone, and of nothing in it that was begun after the comparison but its own
/// runs: a verdict that was reached stays. O(runs at the rung + runs of the comparison x documents).
Outcome outcome_of(const Population& population, const record::ComparisonBegun& begun);

/// The smallest difference from the best of them that it sees with kPower; 0: not known yet. Half a
/// millisecond.
double visible_in(const Population& population, const Outcome& outcome);

/// The leader without its parts, compared on the same seeds at the same level; difference: the leader's score
/// less the part's. In the order of designs.
std::vector<Row> ablated(const Population& population, const record::ComparisonBegun& begun);

}  // namespace gabbro::evolve
