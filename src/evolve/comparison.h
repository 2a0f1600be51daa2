// The final comparison: the leader against baselines and controls, on seeds that no run has used. The number
// of seeds is fixed before the first of these runs begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "evolve/ladder.h"
#include "evolve/population.h"
#include "evolve/statistics.h"

namespace gabbro::evolve {

/// Family-wise error rate: the bound on the probability that a campaign makes any false claim, however many
/// leaders it compares.
constexpr double kFamilywiseErrorRate = 0.05;
/// Power of a comparison, at the effect that the preset names.
constexpr double kPower = 0.8;
/// Number of tokens of unread training text that a verdict run is scored on. On this many, chance makes
/// designs differ by 0.001 bits per byte.
constexpr std::int64_t kUnreadTokens = 1 << 15;
/// Minimum share of a lead on held-out documents that unread training text must confirm.
constexpr double kLeastUnread = 0.5;
/// Minimum number of seeds. With fewer, the pair's own variance would be almost unknown.
constexpr int kLeastSeeds = 3;
/// Standard deviation of a run in bits per byte, assumed until a rung has measured it (Llama at 150k
/// parameters and 300k tokens: docs/campaigns.md).
constexpr double kUnknownDeviation = 0.02;

/// Returns the significance level of the k-th comparison of a campaign, k >= 1: kFamilywiseErrorRate * 6 /
/// (pi k)^2. The levels of all k sum to kFamilywiseErrorRate.
double level_of(int k);

/// Returns the designs that a winner is compared with: the preset's baselines and controls, in their order.
std::vector<std::int64_t> compared_with(const Population& population);

/// Returns false if all runs of the search at the comparison's rung, on which it rests, ended without a
/// score. Such a design gets no runs in the comparison.
bool is_trainable(const Population& population, std::int64_t design, const record::ComparisonBegun& begun);

/// Returns the variance of one run at a rung that neither its design nor its seed explains. It is pooled over
/// all designs, separately for the search and for each comparison. If `begun` is given, only the runs that
/// this comparison rests on are used: its own, and those that had begun before them.
Variance run_variance(const Population& population, int rung, const record::ComparisonBegun* begun = nullptr);

/// Pairs the k-th run of one design with the k-th run of another; both have the same seed. Differences are
/// `runs` minus `other_runs`.
Paired pair_runs(const std::vector<const Trial*>& runs, const std::vector<const Trial*>& other_runs);

/// Returns the interval of the difference of two designs at a rung, `design` minus `against`, on the seeds of
/// the search. Since the search selected designs on these seeds, the result serves for promotion and display
/// only. A negative difference means that `design` is better.
Interval search_interval(const Population& population, std::int64_t design, std::int64_t against, int rung,
                         double level = kFamilywiseErrorRate);

/// Returns the latest comparison of this leader at its rung; null if none has begun.
const record::ComparisonBegun* comparison_of(const Population& population, const Leader& leader);

/// Returns the id of the first run of a comparison; Population::kNoTrial if none has begun. The comparison
/// rests on its own runs and on those with smaller ids.
std::int64_t first_run_of(const Population& population, const record::ComparisonBegun& begun);

/// Returns the comparison that this leader should get. Its seeds are from a block that no run has used. Their
/// number is the smallest that detects the preset's effect with power kPower, at least kLeastSeeds and at
/// most SearchSettings::final_seeds and `affordable`, the number that the budget allows. The block is drawn
/// by `secret`, a text that nobody knew when the leader's program was written, by that program and by the
/// campaign's first seed. The seeds of any number of comparisons do not tell the secret. O(runs at the rung),
/// a millisecond.
record::ComparisonBegun plan_comparison(const Population& population, std::uint64_t first_seed,
                                        const Leader& leader, double affordable,
                                        const std::string& secret = "");

/// Number of runs, on further seeds, that repeat the checks of an implausible lead.
inline constexpr int kRechecks = 2;

/// A run that ended without a score.
struct FailedRun {
  std::int64_t design = 0;
  std::uint64_t seed = 0;
  record::Status status = record::Status::kFailed;
  std::string cause;
};
/// Returns the runs of a design at a rung that ended without a score: those of the search and, if `begun` is
/// not null, those of that comparison.
std::vector<FailedRun> failed_runs(const Population& population, std::int64_t design, int rung,
                                   const record::ComparisonBegun* begun);

/// A design compared with the leader: a baseline, a control, or an ablation of the leader.
struct ComparisonRow {
  std::int64_t design = 0;
  // The leader's score minus its own; unbounded until the comparison is complete. Its upper end includes what
  // the design would gain at the rate that its own scores would choose (rate_loss).
  Interval difference;
  int ended = 0;                       // number of seeds on which its run and the leader's have ended
  bool trained = false;                // has scores on enough seeds, or may still get them
  std::vector<FailedRun> failed_runs;  // of this design
  // On some seed, its run and the leader's were computed by different builds of the worker, or on different
  // processors (record::TrialResult::build), whose numbers may differ.
  bool mixes_builds = false;
};

/// State or result of a comparison.
struct ComparisonOutcome {
  const record::ComparisonBegun* begun = nullptr;
  int ended = 0;          // number of seeds on which all runs have ended
  bool complete = false;  // all seeds have ended
  // All of compared_with, sorted by mean score, the best first; designs without a score come last.
  std::vector<ComparisonRow> rows;
  std::vector<FailedRun> failed_runs;  // of the leader; any of them rules out a claim
  Variance run;                        // run_variance of this comparison
  int documents = 0;                   // number of documents scored
  bool fresh_documents = false;        // the search has not seen these documents
  double spread = 0;                   // standard deviation between the mean scores of the known designs
  bool ahead = false;                  // significantly better than all designs that could be trained
  bool contradicted = false;           // a design with too many failed runs was better on the remaining ones
  bool implausible = false;            // the lead over the best row is much larger than known designs differ
  // Interval of the difference from the best design on training text that neither run has read, in bits per
  // byte, on the comparison's seeds. Its count is 0 if no such text exists, because a run reads the whole
  // corpus.
  Interval unread;
  // Unread text does not show at least half of the lead, or not significantly. The program may contain the
  // held-out documents.
  bool unconfirmed = false;
  // Number of the kRechecks repeated runs that confirmed an implausible lead.
  int rechecked = 0;
  std::vector<FailedRun> failed_rechecks;
  // Number of the preset's controls, and of those among them that could not be trained.
  std::int64_t controls = 0, untrained_controls = 0;
  // The baseline that was best in the search and the control that is best in the comparison, with the
  // interval of their difference on the comparison's seeds. An id is 0 if none was trained.
  std::int64_t best_baseline = 0, control = 0;
  Interval over_control;
  /// Returns true if the rung can judge: the best known mixer is significantly better than the controls,
  /// which see few tokens. A control that could not be trained rules this out, since it may have been better,
  /// and so does a preset without controls.
  [[nodiscard]] bool can_judge() const {
    return controls > 0 && untrained_controls == 0 && over_control.below_zero();
  }
  /// Returns true if the lead is held back until its checks have been repeated and have passed.
  [[nodiscard]] bool held_back() const { return implausible && rechecked < kRechecks; }
  /// Returns true if the leader is ahead beyond doubt, whatever the rung can judge.
  [[nodiscard]] bool stands() const { return ahead && !unconfirmed && !held_back(); }
  // A design whose best rate lies at the edge of its search, the leader or one of those compared with it; 0:
  // none. A better rate may lie beyond.
  std::int64_t at_edge = 0;
  [[nodiscard]] bool claims() const { return stands() && can_judge() && at_edge == 0; }
};
/// Returns the first of the seeds on which the checks of an implausible lead are repeated.
std::uint64_t recheck_seed(const record::ComparisonBegun& begun);
/// Returns the outcome of a comparison. It depends on the population alone, and on no run that was begun
/// after the comparison except the comparison's own, so that a verdict never changes once it is reached.
/// O(runs at the rung + runs of the comparison x documents).
ComparisonOutcome outcome_of(const Population& population, const record::ComparisonBegun& begun);

/// Returns the smallest difference from the best design, in bits per byte, that the comparison detects with
/// power kPower; 0 if it is not known yet. Takes half a millisecond.
double visible_effect_of(const Population& population, const ComparisonOutcome& outcome);

/// Returns the ablations of the leader in the order of designs, compared on the same seeds at the same level.
/// A row's difference is the leader's score minus the ablation's.
std::vector<ComparisonRow> ablation_rows(const Population& population, const record::ComparisonBegun& begun);

}  // namespace gabbro::evolve
