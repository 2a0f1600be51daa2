// A campaign as read from its record's tables, for reports and `gabbro status`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "campaign/campaign.h"
#include "evolve/comparison.h"
#include "evolve/ladder.h"
#include "evolve/population.h"
#include "store/store.h"

namespace gabbro::campaign {

/// Times of a run, in seconds since 1970, and what it took. The latter two are 0 until it has ended.
struct RunTimes {
  double begun = 0, ended = 0;
  double seconds = 0;  // duration of the worker's run
  double tokens = 0;   // number of tokens that it trained on
};

/// The content of a record. It is read from the tables, since replaying a million events would parse every
/// program and result, which takes 20 s of processor time. The population has no programs, curves and weight
/// hashes; those of single designs come from the store.
struct CampaignReading {
  CampaignPlan plan;
  evolve::Population population;
  std::vector<store::SessionRow> sessions;
  std::vector<std::pair<double, record::Steered>> steering;  // with times
  // Times are seconds since 1970.
  double begun = 0, last = 0;  // of the first and the last event
  // Time that sessions worked on the campaign, in seconds; one that was killed counts until its last event.
  double seconds = 0;
  double worker_seconds = 0;    // time that workers worked, for all runs that ended
  double tokens = 0;            // tokens that these runs trained on
  std::vector<RunTimes> times;  // of all runs, by id
  // Runs of the search's designs at the first rung with a larger score are held without their documents.
  double most_bits = 0;
  [[nodiscard]] const evolve::Rung& rung(int r) const {
    return plan.settings.rungs.at(static_cast<std::size_t>(r));
  }
};
/// Reads a record. Errors: "store"; "preset"; "event" if another program changed the record. O(designs +
/// trials).
Result<CampaignReading> read_record(const store::Store& store);

/// Numbers of baselines and controls at one rung by their state; each counts once. One with a run in progress
/// is running, whatever its other runs are.
struct KnownAtRung {
  std::int64_t running = 0, done = 0, failed = 0;
};
/// Numbers of candidates at one rung by their state; each counts once.
struct Funnel {
  std::int64_t entered = 0, running = 0, done = 0, stopped = 0, failed = 0;
  double best = 0;               // bits per byte; 0: none is done
  std::int64_t best_design = 0;  // 0: none is done
  KnownAtRung known;
};
/// Returns a funnel for each rung. O(trials).
std::vector<Funnel> funnel(const evolve::Population& population);
/// Formats the numbers that are not 0, such as "1 running, 4 done"; "-" if all are 0.
std::string known_text(const KnownAtRung& known);

/// The designs, refused draws, cost and best results of one strategy.
struct StrategyRow {
  std::string name;
  std::int64_t designs = 0;
  std::int64_t refused = 0;        // draws that led to no design
  double flops = 0;                // training FLOPs at the first rung
  std::vector<std::int64_t> best;  // best design at each rung; 0: none is done
};
/// Returns strategies in the order of the settings, followed by sources that only the record has: "user" for
/// user designs, "ablation" for refused ablations. O(designs x rungs + trials).
std::vector<StrategyRow> strategies(const CampaignReading& reading, const store::Store& store);

/// A design done at a rung, with its mean bits per byte over the seeds of the search.
struct Ranked {
  std::int64_t design = 0;
  double bits = 0;
  int seeds = 0;  // number of seeds with a score
};
/// Returns the designs done at `rung`, best first, without ablations. O(trials).
std::vector<Ranked> ranking(const evolve::Population& population, int rung);

/// A baseline, control or user design without a score at a rung, and the reason, so that tables can list them
/// all.
struct Unscored {
  std::int64_t design = 0;
  std::string why;
};
/// Returns the known and user designs without a score at `rung`.
std::vector<Unscored> unscored(const evolve::Population& population, int rung);
/// Describes failed runs: "refused on seed 8: ..., and 2 more"; "" if there are none.
std::string failed_runs_text(const std::vector<evolve::FailedRun>& runs);

/// The leader against one of the designs it is compared with, at its rung. The difference is on fresh seeds
/// if its final comparison has begun, and on the seeds of the search otherwise.
struct Duel {
  std::int64_t baseline = 0;    // a baseline or a control
  evolve::Interval difference;  // negative: the leader is better; unbounded while undecided
  // A short outcome: "ahead", "behind", "no significant difference", "3 of 10 seeds", or the failed runs.
  std::string word;
};
/// The outcome of a comparison on which the verdict does not rest, such as that of an earlier leader.
struct EarlierComparison {
  std::int64_t number = 0;
  std::string text;     // the outcome in sentences, with the number
  bool claims = false;  // evolve::ComparisonOutcome::claims
};
struct CampaignVerdict {
  evolve::Leader leader;
  bool has_comparison = false;             // a comparison of the leader, on fresh seeds, has begun
  evolve::ComparisonOutcome outcome;       // of that comparison
  std::vector<Duel> duels;                 // strongest first; those without a score last
  std::string sentence;                    // the verdict, in one sentence or a few
  std::string sensitivity;                 // the effect that could have been detected; "" if it is not known
  std::vector<EarlierComparison> earlier;  // all other comparisons
};
/// Returns a warning that the seeds of comparisons could be known when programs were written, if a comparison
/// has begun and its secret was not drawn at random; "" otherwise.
std::string known_seeds_text(const CampaignReading& reading);
/// Returns the verdict of a campaign. Its outcome points into `reading`.
CampaignVerdict verdict(const CampaignReading& reading);
/// Formats a duel: "  against llama   -0.0495 [-0.0531, -0.0459]   ahead".
std::string duel_line(const evolve::Population& population, const Duel& duel);
/// Formats the confidence level 1 - `level`, such as "97.0 %", with enough digits to show that it is not 100.
std::string level_text(double level);

/// Returns a design and its ancestors along first parents, itself first; at most `most` designs.
std::vector<std::int64_t> lineage(const evolve::Population& population, std::int64_t design,
                                  std::size_t most);

/// A part of the winner and what the winner loses without it, in bits per byte (positive: the part helps), on
/// the seeds of its comparison.
struct AblatedPart {
  /// kWaits: some of its runs have not ended. kUntrainable: the winner could not be trained without the part.
  enum class Effect : std::uint8_t { kHelps, kUnclear, kHurts, kWaits, kUntrainable };
  std::string what;       // the part, and what was done with it
  evolve::Interval loss;  // its count is 0 if no seed has a score of both
  Effect effect = Effect::kWaits;
  std::int64_t design = 0;  // the winner without the part
  // A short effect: "helps", "unclear", "better without", "2 of 10 seeds", or the failed runs.
  std::string word;
};
/// Returns the ablated parts of a leader whose comparison has begun, sorted by effect, the most helpful
/// first.
std::vector<AblatedPart> ablated_parts(const evolve::Population& population, const evolve::Leader& leader);
/// Formats a part: "  +0.0312 [+0.0280, +0.0344]  helps   without stack.1: LayerNorm removed".
std::string part_line(const AblatedPart& part);
/// Returns advice on variants that score better than the winner without one of its parts; "" if there are
/// none.
std::string advice_on_parts(const std::vector<AblatedPart>& parts);

/// Returns the designs that have a profile, sorted by rung and score, the highest rung first; known designs
/// come last.
std::vector<std::int64_t> profiled(const evolve::Population& population);
/// Formats a profile: "recall 100 %, s3 24 % 17 %", the share of correct answers of each task at each of its
/// lengths. A task without scores has its outcome instead; a failed profile has its status and cause.
std::string profile_text(const record::CapabilityResult& profile);

/// Formats the learning rates that were tried for a design at a rung, with their bits per byte, and marks the
/// selected one: "0.0015 2.61, 0.003 2.60 (best); 6 runs around the best on 2 further seeds; compared at
/// 0.0025"; "" if fewer than two were tried.
std::string rates_text(const CampaignReading& reading, std::int64_t design, int rung);
/// The size and the training speed of a design at a rung, from the run that scored_trial returns; 0 if there
/// is none, or if they are not known.
struct Measured {
  std::int64_t params = 0;
  double tokens_per_second = 0;
};
Measured measured(const store::Store& store, const evolve::Population& population, std::int64_t design,
                  int rung);
/// Formats the gain of context beyond the last 8 tokens at a rung, from the run that scored_trial returns:
/// "+0.0123"; "" if it is not known.
std::string context_text(const store::Store& store, const evolve::Population& population, std::int64_t design,
                         int rung);

/// Returns the run that represents a design at a rung: the first one with a score; 0 if there is none.
std::int64_t scored_trial(const evolve::Population& population, std::int64_t design, int rung);
/// Returns the hyperparameters that were changed to give that run its size ("Mamba2.state 16 to 21"); "" if
/// there were none, or if there is no such run.
std::string changed_hypers_text(const store::Store& store, const evolve::Population& population,
                                std::int64_t design, int rung);

}  // namespace gabbro::campaign
