// What a campaign knows: the fold of its events.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
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

struct Trial {
  record::TrialBegun begun;
  bool ended = false;
  record::Status status = record::Status::kFailed;  // of its result, when it ended
  std::string cause;
  double bits = 0;                 // bits per byte, when done
  std::vector<double> at_hurdles;  // mean training loss before each of Settings::hurdles that it reached
  double flops = 0;                // that its training took
  std::vector<double> curve;       // losses at eight even places, for behaviour
  std::string weights_hash, text_hash, held_out_hash;
  std::uint64_t valid_documents = 0, valid_bytes = 0;  // that it was scored on
  std::int64_t unread_tokens = 0;
  double nats_per_bit =
      0;                   // of its held-out score, per token and byte: one number for one text; 0: not known
  double unread_bits = 0;  // bits per byte on training text that it has not read, at the held-out text's
                           // bytes per token; 0: not known
  // The documents' scores, in the order of the corpus. Runs that judge are scored on more of them than runs
  // of the search, and those that the search has seen are left out, here and in `bits`, where enough others
  // remain.
  std::vector<record::DocumentScore> documents;
  bool fresh_documents = false;
};

struct Individual {
  record::DesignCreated created;
  std::shared_ptr<const lang::Program> program;
  Shape shape;
  std::vector<std::int64_t> trials;                         // ids, in order
  int entered = 0;                                          // the highest rung it may be trained at
  bool vetoed = false;                                      // by the person who steers
  std::shared_ptr<const record::CapabilityResult> profile;  // null: not asked yet
};

/// A design in the making by agents.
struct Task {
  record::TaskBegun begun;
  std::int64_t known = 0;  // tasks that had ended when it began, in the order of Population::ended_tasks
  bool ended = false;
  record::TaskReport report;          // when it ended
  std::int64_t design = 0;            // that came of it
  std::string refused;                // why its design was refused before training; empty: it was not
  [[nodiscard]] bool waits() const {  // its design is to be taken up
    return ended && report.outcome == record::TaskOutcome::kDesign && design == 0 && refused.empty();
  }
};

/// How often something failed by one cause, and the last time in words.
struct Failures {
  std::int64_t count = 0;
  std::string last;
};

/// What a screen says of a design that an offspring equals, and compares it with.
struct KnownDesign {
  std::int64_t id = 0;
  std::string name;
  std::shared_ptr<const lang::Program> program;
};

/// What is known of an individual at one rung from the runs of the search; those of the last comparison and
/// of ablations do not count.
struct Standing {
  int done = 0, open = 0,
      lost = 0;     // runs: finished with a score, under way, without a score (refused, failed, stopped at a
                    // hurdle)
  double bits = 0;  // mean of the done ones
};

/// All designs, draws and trials. Ids count from 1; adding an event is O(1) but for parsing what it holds.
class Population {
 public:
  /// An id behind those of all trials.
  static constexpr std::int64_t kNoTrial = std::numeric_limits<std::int64_t>::max();

  explicit Population(const Settings& settings) : settings_(settings) {}

  /// Errors, "event": it does not fit what came before, a program that does not parse.
  Result<bool> apply(const record::Event& event);

  // From the tables of a record instead of its events, for reports: without programs, shapes, curves and
  // hashes, which strategies and screens need.
  /// The next design, known by what the tables say. Errors: "event", as apply.
  Result<bool> recall(const record::DesignCreated& created);
  /// The end of a trial that has begun; of one that judges with what is compared of it. Errors: "event", as
  /// apply.
  struct Compared {
    std::string text_hash, held_out_hash;
    std::vector<record::DocumentScore> documents;
    double unread_bits = 0;
    std::int64_t unread_tokens = 0;
    double nats_per_bit = 0;
  };
  Result<bool> recall(std::int64_t trial, record::Status status, std::string cause, double bits, double flops,
                      Compared compared);
  /// A task, in the order of ids.
  void recall(Task task) { tasks_.push_back(std::move(task)); }

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const std::vector<Individual>& individuals() const { return individuals_; }
  [[nodiscard]] const Individual& individual(std::int64_t id) const {
    return individuals_.at(static_cast<std::size_t>(id - 1));
  }
  [[nodiscard]] const std::vector<Trial>& trials() const { return trials_; }
  [[nodiscard]] const Trial& trial(std::int64_t id) const {
    return trials_.at(static_cast<std::size_t>(id - 1));
  }
  [[nodiscard]] std::int64_t attempts() const { return attempts_; }
  [[nodiscard]] const std::vector<Task>& tasks() const { return tasks_; }
  /// Ids of tasks in the order in which they ended.
  [[nodiscard]] const std::vector<std::int64_t>& ended_tasks() const { return ended_tasks_; }
  /// What a person asks of agents, oldest first.
  [[nodiscard]] const std::vector<std::string>& directions() const { return directions_; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] bool knows_steering(const std::string& key) const { return steered_.contains(key); }
  /// By cause: draws that became no design, runs without a score, tasks without a design.
  [[nodiscard]] const std::map<std::string, Failures>& failures() const { return failures_; }
  /// The oldest design of an identity (evolve/identity.h); null when there is none. A known one of "" is
  /// asked for by nobody.
  [[nodiscard]] const KnownDesign* known_trained(const std::string& identity) const;
  /// All designs of a fingerprint, oldest first.
  [[nodiscard]] std::vector<KnownDesign> known_traces(const std::string& fingerprint) const;
  /// The rate of a design at a rung, as a factor on the rung's: of those tried there, the best on the first
  /// of their seeds; else that of the rung below, or the one it was created with. With `before`: as it was
  /// when the trial of that id was begun.
  [[nodiscard]] double rate_of(const Individual& individual, int rung, std::int64_t before = kNoTrial) const;
  /// Whether a run judges, or was made at the rate that its design has at the rung; others chose that rate
  /// and tell nothing else.
  [[nodiscard]] bool counts(const Trial& trial, std::int64_t before = kNoTrial) const;
  [[nodiscard]] Standing standing(const Individual& individual, int rung) const;
  /// The last comparisons that were begun, in their order.
  [[nodiscard]] const std::vector<record::ComparisonBegun>& comparisons() const { return comparisons_; }
  /// The finished score of a design at a rung with a seed; null when there is none.
  [[nodiscard]] const Trial* scored(std::int64_t design, int rung, std::uint64_t seed) const;
  /// Scores of two designs at a rung where both have one of the same seed, first minus second; of the runs of
  /// the last comparison, or of the others.
  [[nodiscard]] std::vector<double> differences(std::int64_t design, std::int64_t against, int rung,
                                                bool final) const;
  /// The baseline of the best mean at `rung`; 0 when none is done there.
  [[nodiscard]] std::int64_t best_baseline(int rung) const;
  /// Training FLOPs that a strategy has spent at the first rung.
  [[nodiscard]] double spent(std::string_view strategy) const;
  /// All designs and what identifies them, without runs and tasks: what a screen asks of a population, for
  /// those in other threads and processes.
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
  static Result<bool> has_parents(const record::DesignCreated& created);
  [[nodiscard]] bool has_rung(int rung) const {
    return rung >= 0 && rung < static_cast<int>(settings_.rungs.size());
  }
  Result<bool> deliver(std::int64_t task, std::int64_t design, const std::string& refused);
  void failed(const std::string& cause, const std::string& detail);
  Result<Trial*> ending(std::int64_t trial);
  void spend(Trial& trial, double flops);
  void leave_out_seen(Trial& trial) const;

  Settings settings_;
  std::vector<Individual> individuals_;
  std::vector<Trial> trials_;
  std::int64_t attempts_ = 0;
  std::map<std::string, KnownDesign, std::less<>> trained_;  // the oldest of each
  std::multimap<std::string, KnownDesign, std::less<>> traces_;
  std::map<std::string, double, std::less<>> spent_;
  std::vector<Task> tasks_;
  std::vector<std::int64_t> ended_tasks_;
  std::vector<std::string> directions_;
  bool paused_ = false;
  std::set<std::string> steered_;
  std::map<std::string, Failures> failures_;
  std::vector<record::ComparisonBegun> comparisons_;
};

/// How many held-out documents a run is given to be scored on; 0: all. Those that judge get four times as
/// many, of which the search has seen the first.
[[nodiscard]] inline std::int64_t documents_of(const Rung& rung, bool judges) {
  return judges ? 4 * rung.documents : rung.documents;
}
/// A run that repeats the checks of an implausible lead: another seed, texts twice as long, thorough checks
/// (record::TrialSpec).
[[nodiscard]] inline bool rechecks(const record::TrialBegun& t) {
  return t.purpose == record::Purpose::kRecheck;
}
/// Runs of the last comparison, of ablations and of repeated checks judge; they do not guide.
[[nodiscard]] inline bool judges(const record::TrialBegun& t) {
  return t.purpose == record::Purpose::kFinal || t.purpose == record::Purpose::kAblation || rechecks(t);
}
[[nodiscard]] inline bool judges(const Trial& t) { return judges(t.begun); }
/// Whether two runs consumed the same text and were scored on the same documents: else their scores are not
/// compared.
[[nodiscard]] inline bool of_one_text(const Trial& a, const Trial& b) {
  constexpr double kRounding = 1e-6;
  return a.text_hash == b.text_hash && a.held_out_hash == b.held_out_hash &&
         a.unread_tokens == b.unread_tokens &&
         std::abs(a.nats_per_bit - b.nats_per_bit) <= kRounding * b.nats_per_bit &&
         record::same_documents(a.documents, b.documents);
}
[[nodiscard]] inline bool is_baseline(const Individual& i) {
  return i.created.origin == record::Origin::kBaseline;
}
/// A design that sees few tokens: what it reaches at a rung says what the rung measures. Nothing is bred from
/// it.
[[nodiscard]] inline bool is_control(const Individual& i) {
  return i.created.origin == record::Origin::kControl;
}
/// Of the preset: trained at every rung that a design enters.
[[nodiscard]] inline bool is_known(const Individual& i) { return is_baseline(i) || is_control(i); }
/// A person's design: it climbs the ladder without being sifted, and all strategies may breed from it.
[[nodiscard]] inline bool is_user_design(const Individual& i) {
  return i.created.origin == record::Origin::kUser;
}
/// A copy of an A/A test.
[[nodiscard]] inline bool is_replicate(const Individual& i) {
  return i.created.origin == record::Origin::kAaReplicate;
}
/// The winner without one of its parts: it judges the part, and enters no rung.
[[nodiscard]] inline bool is_ablation(const Individual& i) {
  return i.created.origin == record::Origin::kAblation;
}
/// Whether it climbs the ladder and may win.
[[nodiscard]] inline bool is_candidate(const Individual& i) {
  return (i.created.origin == record::Origin::kSearch || is_user_design(i)) && !i.vetoed;
}
/// What a table calls who made it: the strategy, or the origin where none did.
[[nodiscard]] inline std::string source_of(const record::DesignCreated& created) {
  return created.origin == record::Origin::kSearch ? created.strategy
                                                   : std::string(record::word_of(created.origin));
}

}  // namespace gabbro::evolve
