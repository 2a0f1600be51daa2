// The state of a campaign, computed by replaying its events.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "evolve/describe.h"
#include "evolve/settings.h"
#include "record/capability.h"
#include "record/event.h"
#include "record/task.h"
#include "record/trial.h"

namespace gabbro::evolve {

/// A training run.
struct Trial {
  record::TrialBegun begun;
  bool ended = false;
  // All below is valid once it has ended.
  record::Status status = record::Status::kFailed;
  std::string cause;              // why it has no score
  bool lost_for_numbers = false;  // record::is_lost_for_numbers, of a result that its worker reported
  double bits = 0;                // bits per byte, when done
  // Smoothed training loss at each of SearchSettings::hurdles that it reached.
  std::vector<double> at_hurdles;
  double flops = 0;           // FLOPs that its training took
  std::vector<double> curve;  // losses at eight evenly spaced points, used to compare behaviour
  std::int64_t width = 0;     // as trained; 0: not known
  std::string weights_hash, text_hash, held_out_hash;
  std::string build;                                   // record::TrialResult::build
  double changed_share = 0;                            // as in record::TrialResult
  std::uint64_t valid_documents = 0, valid_bytes = 0;  // numbers of held-out documents and bytes scored
  std::int64_t unread_tokens = 0;                      // number of tokens behind `unread_bits`
  // Nats per token divided by bits per byte of its held-out score; the same for all runs on one text; 0: not
  // known.
  double nats_per_bit = 0;
  // Bits per byte on training text that the run has not read, at the held-out text's bytes per token; 0: not
  // known.
  double unread_bits = 0;
  // Scores of the documents, in the order of the corpus. Verdict runs are scored on more documents than
  // runs of the search. Documents that the search has seen are left out, here and in `bits`, if enough others
  // remain.
  std::vector<record::DocumentScore> documents;
  bool fresh_documents = false;  // documents that the search has seen were left out
};

/// A design with its runs.
struct Individual {
  record::DesignCreated created;
  std::shared_ptr<const lang::Program> program;
  Shape shape;
  std::vector<std::int64_t> trials;  // ids, in order
  int entered = 0;                   // highest rung at which it may be trained
  bool vetoed = false;               // excluded by the user
  int by_hand = 0;                   // highest rung to which the user promoted it; 0: none
  // Result of the capability tasks; null: not run yet.
  std::shared_ptr<const record::CapabilityResult> profile;
};

/// A design that agents are writing.
struct AgentTask {
  record::TaskBegun begun;
  // Number of tasks that had ended when it began: its agents know that many of Population::ended_tasks.
  std::int64_t ended_before = 0;
  bool ended = false;
  record::TaskReport report;                     // valid once it has ended
  std::int64_t design = 0;                       // id of the resulting design; 0: none
  record::Cause refused = record::Cause::kNone;  // why its design was refused before training
  /// Returns true if agents wrote a design that has not been added or refused yet.
  [[nodiscard]] bool awaits_screening() const {
    return ended && report.outcome == record::TaskOutcome::kDesign && design == 0 &&
           refused == record::Cause::kNone;
  }
};

/// Number of failures with one cause, and the details of the latest.
struct Failures {
  std::int64_t count = 0;
  std::string last;
  void add(const std::string& detail) { ++count, last = detail; }
};
/// All failures of a campaign: draws without a design, tasks of agents without a design, runs without a
/// score.
struct FailureCounts {
  std::map<record::Cause, Failures> draws, tasks;
  std::map<record::Status, Failures> runs;
};

/// A design of the population that a screen compares with an offspring, and names if the two are equal.
struct KnownDesign {
  std::int64_t id = 0;
  std::string name;
  std::shared_ptr<const lang::Program> program;
};

/// Summary of an individual's runs at one rung within the search, at the learning rate that it has there.
/// Verdict runs do not count.
struct Standing {
  // Numbers of runs: finished with a score, under way, and without a score (refused, failed, stopped at a
  // hurdle).
  int done = 0, open = 0, unscored = 0;
  double bits = 0;  // mean of the finished runs
};

/// Selects the runs of the search or the verdict runs (is_verdict_run).
enum class RunKind : std::uint8_t { kSearch, kVerdict };

/// Holds all designs, draws and trials. Ids count from 1. Adding an event is O(1), apart from parsing its
/// content.
class Population {
 public:
  /// An id greater than those of all trials.
  static constexpr std::int64_t kNoTrial = std::numeric_limits<std::int64_t>::max();

  explicit Population(const SearchSettings& settings) : settings_(settings) {}

  /// Applies one event. Errors: "event" if it does not fit the previous events, or if its program does not
  /// parse.
  Result<bool> apply(const record::Event& event);

  // The overloads of recall rebuild a population from the tables of a record instead of its events, for
  // reports. The result lacks programs, shapes, curves, widths and weight hashes, which only strategies,
  // screens and briefs of agents need.

  /// Adds the next design. Errors: "event", as apply.
  Result<bool> recall(const record::DesignCreated& created);
  /// Holds the values of a result that comparisons use.
  struct Compared {
    std::string text_hash, held_out_hash, build;
    std::vector<record::DocumentScore> documents;
    double unread_bits = 0;
    std::int64_t unread_tokens = 0;
    double nats_per_bit = 0;
    std::vector<double> at_hurdles;
    bool lost_for_numbers = false;
  };
  /// Ends a trial that has begun. A verdict run needs its values in `compared`, and a run of a design of
  /// agents or of its parent the last two of them (evolve/outcome.h). Errors: "event", as apply.
  Result<bool> recall(std::int64_t trial, record::Status status, std::string cause, double bits, double flops,
                      Compared compared);
  /// Adds a task; tasks come in the order of ids.
  void recall(AgentTask task) { tasks_.push_back(std::move(task)); }

  /// Returns Trial::at_hurdles of a result at a rung.
  [[nodiscard]] std::vector<double> losses_at_hurdles(const record::TrialResult& result, int rung) const;

  [[nodiscard]] const SearchSettings& settings() const { return settings_; }
  [[nodiscard]] const std::vector<Individual>& individuals() const { return individuals_; }
  [[nodiscard]] const Individual& individual(std::int64_t id) const {
    return individuals_.at(static_cast<std::size_t>(id - 1));
  }
  [[nodiscard]] const std::vector<Trial>& trials() const { return trials_; }
  [[nodiscard]] const Trial& trial(std::int64_t id) const {
    return trials_.at(static_cast<std::size_t>(id - 1));
  }
  /// Returns the number of draws so far.
  [[nodiscard]] std::int64_t attempts() const { return attempts_; }
  [[nodiscard]] const std::vector<AgentTask>& tasks() const { return tasks_; }
  /// Returns the ids of tasks in the order in which they ended.
  [[nodiscard]] const std::vector<std::int64_t>& ended_tasks() const { return ended_tasks_; }
  /// Returns the user's directions to agents, oldest first.
  [[nodiscard]] const std::vector<std::string>& directions() const { return directions_; }
  [[nodiscard]] bool paused() const { return paused_; }
  /// Returns true if the user's request with this key has been applied.
  [[nodiscard]] bool knows_steering(const std::string& key) const { return steered_.contains(key); }
  [[nodiscard]] const FailureCounts& failures() const { return failures_; }
  /// Returns the oldest design with this identity (evolve/identity.h); null if there is none. Callers must
  /// not pass "".
  [[nodiscard]] const KnownDesign* design_with_identity(const std::string& identity) const;
  /// Returns all designs with a fingerprint, oldest first, without those that are untrainable: an offspring
  /// that is equal to one of them in exact arithmetic may be trained.
  [[nodiscard]] std::vector<KnownDesign> designs_with_fingerprint(const std::string& fingerprint) const;
  /// Returns the designs of which every run that ended was lost for its numbers.
  [[nodiscard]] const std::set<std::int64_t>& untrainable() const { return untrainable_; }
  /// Sets the designs that untrainable() returns, for a population that lacks the runs (designs()).
  void set_untrainable(std::set<std::int64_t> designs) { untrainable_ = std::move(designs); }
  /// Returns a design's learning rate at a rung, as a factor on the rung's rate. It is the rate of the best
  /// run there, among runs on the same seed as the first one. Without a score it is the rate of the first
  /// run; without runs, the rate at the rung below, or the one the design was created with. If `before` is
  /// given, only trials with smaller ids are considered.
  [[nodiscard]] double rate_of(const Individual& individual, int rung, std::int64_t before = kNoTrial) const;
  /// Returns true for a run of a search for a learning rate on another seed than the design's first run at
  /// the rung. It only tells at which rate the design is compared (evolve/rates.h).
  [[nodiscard]] bool only_fits_rate(const Trial& trial) const;
  /// Returns true if a run is a verdict run, or guides the search and was made at the rate that its design
  /// has at the rung, as rate_of(..., before) gives it. Other runs only served to select that rate, or were
  /// asked for by the user.
  [[nodiscard]] bool counts(const Trial& trial, std::int64_t before = kNoTrial) const;
  [[nodiscard]] Standing standing(const Individual& individual, int rung) const;
  /// Returns the final comparisons that have begun, in order.
  [[nodiscard]] const std::vector<record::ComparisonBegun>& comparisons() const { return comparisons_; }
  /// Returns the finished run of a design at a rung with a seed; null if there is none.
  [[nodiscard]] const Trial* scored(std::int64_t design, int rung, std::uint64_t seed) const;
  /// Returns the differences of two designs' scores at a rung, in bits per byte, `design` minus `against`,
  /// one for each scored run of `design` of this kind that `against` has a scored run beside, on the same
  /// seed and text.
  [[nodiscard]] std::vector<double> differences(std::int64_t design, std::int64_t against, int rung,
                                                RunKind kind) const;
  /// Returns the number of documents, the first of the corpus, that runs of the search are scored on; 0: all.
  [[nodiscard]] std::size_t documents_of_search() const;
  /// Returns the id of the baseline with the best mean at `rung`; 0 if none is done there.
  [[nodiscard]] std::int64_t best_baseline(int rung) const;
  /// Returns the training FLOPs that a strategy has spent at the first rung, without searches for rates.
  [[nodiscard]] double spent(std::string_view strategy) const;
  /// Returns a copy without runs and tasks. It holds all designs and their identities, which is what a screen
  /// in another thread or process needs.
  [[nodiscard]] Population designs() const;

 private:
  Result<bool> add(const record::DesignCreated& created);
  Result<bool> add(const record::TrialBegun& begun);
  Result<bool> add(const record::TrialEnded& ended);
  Result<bool> add(const record::Promoted& promoted);
  Result<bool> add(const record::Refused& refused);
  Result<bool> add(const record::TaskBegun& begun);
  Result<bool> add(const record::TaskEnded& ended);
  Result<bool> add(const record::Steered& steered);
  Result<bool> add(const record::ComparisonBegun& begun);
  Result<bool> add(const record::Profiled& profiled);
  Result<bool> add(const record::CampaignBegun&) { return true; }
  Result<bool> add(const record::Session&) { return true; }
  static Result<bool> check_parents(const record::DesignCreated& created);
  [[nodiscard]] bool has_rung(int rung) const {
    return rung >= 0 && rung < static_cast<int>(settings_.rungs.size());
  }
  // Records what became of the design that a task produced: the id of the new design, or 0 and the cause of
  // its refusal. Does nothing if `task` is 0: no agents wrote the design.
  Result<bool> settle_task(std::int64_t task, std::int64_t design, record::Cause refused);
  // Returns the trial if it has begun and not ended.
  Result<Trial*> open_trial(std::int64_t trial);
  void charge_flops(Trial& trial, double flops);
  void leave_out_seen_documents(Trial& trial) const;
  void update_untrainable(std::int64_t design);

  SearchSettings settings_;
  std::vector<Individual> individuals_;
  std::vector<Trial> trials_;
  std::int64_t attempts_ = 0;
  std::map<std::string, KnownDesign, std::less<>> by_identity_;  // the oldest design of each identity
  std::multimap<std::string, KnownDesign, std::less<>> by_fingerprint_;
  std::set<std::int64_t> untrainable_;
  std::map<std::string, double, std::less<>> spent_;  // training FLOPs at the first rung, by source_of
  std::vector<AgentTask> tasks_;
  std::vector<std::int64_t> ended_tasks_;
  std::vector<std::string> directions_;
  bool paused_ = false;
  std::set<std::string> steered_;  // keys of the user's requests
  FailureCounts failures_;
  std::vector<record::ComparisonBegun> comparisons_;
};

/// Returns the number of held-out documents that a run is scored on; 0: all. Verdict runs get four times
/// as many, of which the search has seen the first quarter.
[[nodiscard]] inline std::int64_t documents_of(const Rung& rung, bool verdict_run) {
  return verdict_run ? 4 * rung.documents : rung.documents;
}
/// Returns true if the run repeats the checks of an implausible lead, with another seed and at every
/// position.
[[nodiscard]] inline bool is_recheck(const record::TrialBegun& t) {
  return t.purpose == record::Purpose::kRecheck;
}
/// Returns true for verdict runs: those of the final comparison, of ablations and of repeated checks. The
/// verdict rests on them, so they do not guide the search.
[[nodiscard]] inline bool is_verdict_run(const record::TrialBegun& t) {
  return t.purpose == record::Purpose::kFinal || t.purpose == record::Purpose::kAblation || is_recheck(t);
}
[[nodiscard]] inline bool is_verdict_run(const Trial& t) { return is_verdict_run(t.begun); }
/// Returns true for a run that the user asked for. It decides nothing.
[[nodiscard]] inline bool is_by_hand(const Trial& t) { return t.begun.purpose == record::Purpose::kByHand; }
/// Returns true for a run on which the search rests: neither a verdict run nor one by hand.
[[nodiscard]] inline bool guides_search(const Trial& t) { return !is_verdict_run(t) && !is_by_hand(t); }
/// Returns true if two runs consumed the same text and were scored on the same documents. The scores of other
/// pairs must not be compared.
[[nodiscard]] inline bool have_same_texts(const Trial& a, const Trial& b) {
  constexpr double kRounding = 1e-6;
  return a.text_hash == b.text_hash && a.held_out_hash == b.held_out_hash &&
         a.unread_tokens == b.unread_tokens &&
         std::abs(a.nats_per_bit - b.nats_per_bit) <= kRounding * b.nats_per_bit &&
         record::same_documents(a.documents, b.documents);
}
[[nodiscard]] inline bool is_baseline(const Individual& i) {
  return i.created.origin == record::Origin::kBaseline;
}
/// Returns true for a control: a design that sees few tokens. Its score shows what a rung measures. No design
/// is bred from it.
[[nodiscard]] inline bool is_control(const Individual& i) {
  return i.created.origin == record::Origin::kControl;
}
/// Returns true for a design of the preset. It is trained at every rung that a candidate enters.
[[nodiscard]] inline bool is_known(const Individual& i) { return is_baseline(i) || is_control(i); }
/// Returns true for a user's design. It is promoted without competing, and all strategies may breed from it.
[[nodiscard]] inline bool is_user_design(const Individual& i) {
  return i.created.origin == record::Origin::kUser;
}
/// Returns true for a copy in an A/A test.
[[nodiscard]] inline bool is_replicate(const Individual& i) {
  return i.created.origin == record::Origin::kAaReplicate;
}
/// Returns true for an ablation: the winner without one of its parts. It only measures that part and is never
/// promoted.
[[nodiscard]] inline bool is_ablation(const Individual& i) {
  return i.created.origin == record::Origin::kAblation;
}
/// Returns true if the design takes part in the ladder and may win.
[[nodiscard]] inline bool is_candidate(const Individual& i) {
  return (i.created.origin == record::Origin::kSearch || is_user_design(i)) && !i.vetoed;
}
/// Returns the rung to which the next promotion by hand leads on a ladder of `rungs`; nullopt if the design
/// is no candidate, or has been at the highest rung or was promoted to it.
[[nodiscard]] inline std::optional<int> next_rung_by_hand(const Individual& i, std::size_t rungs) {
  const int next = std::max(i.entered, i.by_hand) + 1;
  return is_candidate(i) && next < static_cast<int>(rungs) ? std::optional(next) : std::nullopt;
}
/// Returns how a run of the design ended. A control that was refused for its score alone counts as done: it
/// is meant to be weak, and its score shows that the others are ahead of it.
[[nodiscard]] inline record::Status status_of(const Individual& i, const record::TrialResult& result) {
  return is_control(i) && record::is_refused_for_score(result) ? record::Status::kDone : result.status;
}
/// Returns the name of a design's source for tables: its strategy, or its origin if no strategy made it.
[[nodiscard]] inline std::string source_of(const record::DesignCreated& created) {
  return created.origin == record::Origin::kSearch ? created.strategy
                                                   : std::string(record::word_of(created.origin));
}

/// Returns how a design was made, for tables: by an operator, by agents, afresh, or its description.
[[nodiscard]] inline std::string maker_of(const record::DesignCreated& created) {
  const record::Provenance& made = created.provenance;
  if (made.op) return std::string(record::word_of(*made.op));
  if (made.mode) return std::string(record::word_of(*made.mode)) + " by agents";
  return created.origin == record::Origin::kSearch ? "fresh" : made.description;
}

}  // namespace gabbro::evolve
