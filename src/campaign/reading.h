// A campaign as its record's tables tell it: what reports and `gabbro status` start from.
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

/// Folding a million events parses every program and every result, which takes 20 s of processor time; the
/// tables hold what a report needs of them. The population is without programs, curves and hashes: those of
/// single designs come from the store.
struct Reading {
  Plan plan;
  evolve::Population population;
  std::vector<store::SessionRow> sessions;
  std::vector<std::pair<double, record::Steered>> steering;  // with times
  double begun = 0, last = 0;                                // times of the first and the last event
  double seconds = 0;         // that processes worked on it; one that was killed counts to its last event
  double worker_seconds = 0;  // of all runs that ended
  double tokens = 0;          // trained on, in them
  [[nodiscard]] const evolve::Rung& rung(int r) const {
    return plan.settings.rungs.at(static_cast<std::size_t>(r));
  }
};
/// Errors: "preset", "event": a record that something else changed. O(designs + trials).
Result<Reading> read_record(const store::Store& store);

/// Candidates at one rung, by how they stand there; each counts once.
struct Funnel {
  std::int64_t entered = 0, running = 0, done = 0, stopped = 0, failed = 0;
  double best = 0;  // bits per byte; 0: none is done
  std::int64_t best_design = 0;
};
/// One for each rung. O(trials).
std::vector<Funnel> funnel(const evolve::Population& population);

/// The designs, refused draws, cost and best results of one strategy.
struct StrategyRow {
  std::string name;
  std::int64_t designs = 0;
  std::int64_t refused = 0;        // draws that became no design
  double flops = 0;                // training, at the first rung
  std::vector<std::int64_t> best;  // the best design at each rung; 0: none is done
};
/// Strategies in the order of the settings, then those that only the record knows (replicates). O(designs x
/// rungs + trials).
std::vector<StrategyRow> strategies(const Reading& reading, const store::Store& store);

/// The designs done at `rung` with their mean bits per byte, best first, ablations left out. O(trials).
struct Ranked {
  std::int64_t design = 0;
  double bits = 0;
  int seeds = 0;
};
std::vector<Ranked> ranking(const evolve::Population& population, int rung);

/// Baselines and a person's designs that have no score at `rung`, and why: tables name them all.
struct Unscored {
  std::int64_t design = 0;
  std::string why;
};
std::vector<Unscored> unscored(const evolve::Population& population, int rung);
/// "refused on seed 8: ..., and 2 more"; "" for none.
std::string losses_text(const std::vector<evolve::Loss>& losses);

/// The leader against each of those it is compared with at its rung: on fresh seeds where its last comparison
/// has begun, else on those that chose it.
struct Duel {
  std::int64_t baseline = 0;
  evolve::Interval difference;  // negative: the leader is better; unbounded while it is not decided
  std::string
      word;  // "ahead", "behind", "no significant difference", "3 of 10 seeds", "refused on seed 7: ..."
};
struct Verdict {
  evolve::Leader leader;
  bool fresh = false;                // a comparison has begun
  evolve::Outcome outcome;           // of it
  std::vector<Duel> duels;           // all of them, the strongest first, those without a score last
  std::string sentence;              // what that says, plainly
  std::string sensitivity;           // which effect could have been seen; "" if that is not known
  std::vector<std::string> earlier;  // what other comparisons of the campaign came to, each with its number
};
/// The outcome points into the reading.
Verdict verdict(const Reading& reading);
/// "  against llama   -0.0495 [-0.0531, -0.0459]   ahead".
std::string duel_line(const evolve::Population& population, const Duel& duel);
/// "97.0 %", with as many digits as say that it is not 100.
std::string level_text(double level);

/// The design and its parents, up to the root, itself first; at most `most`.
std::vector<std::int64_t> lineage(const evolve::Population& population, std::int64_t design,
                                  std::size_t most);

/// Parts of the winner and what it loses without them, in bits per byte (positive: the part helps), on the
/// seeds of its comparison; most helpful first.
struct Part {
  /// kWaits: not all its runs have ended. kLost: it could not be trained without the part.
  enum class Effect : std::uint8_t { kHelps, kUnclear, kHurts, kWaits, kLost };
  std::string what;
  evolve::Interval loss;
  Effect effect = Effect::kWaits;
  std::int64_t design = 0;
  std::string
      word;  // "helps", "cannot be told", "better without", "2 of 10 seeds", "refused on seed 1007: ..."
};
std::vector<Part> parts(const evolve::Population& population, const evolve::Leader& leader);
/// "  +0.0312 [+0.0280, +0.0344]  helps   without stack.1: LayerNorm removed".
std::string part_line(const Part& part);
/// Tells the reader how to pursue variants that score better than the winner without one of its parts; ""
/// when there are none.
std::string further(const std::vector<Part>& parts);

/// Designs whose profile is known, promoted ones first, by rung and score; known architectures last.
std::vector<std::int64_t> profiled(const evolve::Population& population);
/// "recall 100 %, s3 24 % 17 %": the share of right answers of each task at each of its lengths; of a task
/// without, why. Why there is no profile, where it failed.
std::string profile_text(const record::CapabilityResult& profile);

/// The rates that were tried for a design at a rung, as they are and with their bits per byte, the one taken
/// marked: "0.0015 2.61, 0.003 2.60 (taken)"; "" where only one was.
std::string rates_text(const Reading& reading, std::int64_t design, int rung);
/// The gain of context beyond the last 8 tokens at a rung, of the run that scored_trial names: "+0.0123"; ""
/// where it is not known.
std::string context_text(const store::Store& store, const evolve::Population& population, std::int64_t design,
                         int rung);

/// The run of the curve that stands for a design at a rung: its first one that was scored; 0: none.
std::int64_t scored_trial(const evolve::Population& population, std::int64_t design, int rung);
/// The hyperparameters that were changed to give that run its size ("Mamba2.state 16 to 21"); "" if there
/// were none, or no such run.
std::string moved_text(const store::Store& store, const evolve::Population& population, std::int64_t design,
                       int rung);

}  // namespace gabbro::campaign
