// The campaign loop: decides what to train next, runs workers, and keeps a record that survives interruption.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/lock.h"
#include "campaign/screener.h"
#include "edit/unit_catalogue.h"
#include "evolve/ladder.h"
#include "evolve/population.h"
#include "evolve/strategy.h"
#include "jobs/jobs.h"
#include "record/trial.h"
#include "store/store.h"

namespace gabbro::campaign {

struct Agents;  // campaign/agents.h
struct RecordedAction;

/// Paths of a campaign: DIR/campaign.db, DIR/trials/ID (spec, result and weights of a run) and
/// DIR/profiles/ID (capability tasks of a design).
struct CampaignPaths {
  std::string dir;
  [[nodiscard]] std::string store() const { return dir + "/campaign.db"; }
  /// Returns store() if it exists. Errors: "campaign".
  [[nodiscard]] Result<std::string> existing_store() const;
  [[nodiscard]] std::string trial(std::int64_t id) const { return dir + "/trials/" + std::to_string(id); }
  [[nodiscard]] std::string profile(std::int64_t design) const {
    return dir + "/profiles/" + std::to_string(design);
  }
};

/// The configuration that is fixed when a campaign begins. It is written into the first event and read from
/// there on resume.
struct CampaignPlan {
  evolve::SearchSettings settings;
  std::string corpus;       // a folder made by `gabbro data build`
  std::string corpus_hash;  // hash of its content; empty: not recorded
  std::uint64_t seed = 1;
  int threads = 1;       // threads of a worker; results depend on the number
  bool aa_test = false;  // an A/A test: copies of the first baseline instead of a search
  // Programs of user designs (evolve::is_user_design), as trained at the first rung.
  std::vector<std::string> given;
  // A text of 128 random bits that draws the seeds of comparisons. It is drawn when the campaign is created,
  // after all programs that are given to it were written, and told to no worker and no agent.
  std::string secret;
  // The secret was not drawn but chosen by a person, who may know these seeds.
  bool secret_given = false;
};

/// Limits at which a session stops, whichever is reached first; 0: no limit.
struct Budget {
  double minutes = 0;       // of this session
  std::int64_t trials = 0;  // of the whole campaign
};

/// A run in progress, for the view.
struct Running {
  std::int64_t trial = 0;
  record::Progress progress;
};

/// A design whose capability tasks are in progress.
struct Profiling {
  std::int64_t design = 0;
  record::Progress progress;
};

/// The state that a view displays. It is borrowed for the duration of a call.
struct Snapshot {
  const evolve::Population& population;
  evolve::Phase phase;
  std::vector<Running> running;
  std::vector<Profiling> profiling;
  double seconds = 0;                  // elapsed in this session
  double left = 0;                     // left of the budget; negative: unknown
  std::int64_t trials_in_session = 0;  // runs that ended in this session
  std::string agents;                  // current activity of agents; empty: there are none
  std::string warning;                 // why this session cannot reach a verdict; empty if it can
};

class Campaign {
 public:
  /// Creates the folder and writes the first event and the baselines. `screener` creates the screeners
  /// programs. Errors: "campaign" (one exists already), "usage" (the seed is too large), "duplicate" (a user
  /// design equals another design), "store", "io", and errors of sizing the baselines at the first rung.
  static Result<Campaign> create(const CampaignPaths& paths, const CampaignPlan& plan,
                                 const MakeScreener& screener = screener_in_process);
  /// Opens a campaign to resume it. Errors: "campaign" (none exists), "store" (another process works on it),
  /// "event".
  static Result<Campaign> open(const CampaignPaths& paths,
                               const MakeScreener& screener = screener_in_process);
  /// Returns true if a process works on the campaign.
  static bool is_open(const CampaignPaths& paths);
  Campaign(Campaign&&) noexcept;
  ~Campaign();

  [[nodiscard]] const CampaignPlan& plan() const;
  /// Sets the folder of the corpus for this process. The record keeps the original folder.
  void move_corpus(std::string folder);
  [[nodiscard]] const evolve::Population& population() const;

  /// Runs until the budget is spent, nothing is left to do, or `stop` returns 1 or 2. For 1, runs end at
  /// their next step with a checkpoint, from which they resume later. For 2, they are killed. `view` is
  /// called a few times a second and at the end. Returns the reason. Errors:
  /// "jobs" (workers cannot be started; the first failure ends the run), "store" (the disk is full),
  /// "campaign" (no run, or no baseline, can be trained). All events recorded so far remain.
  Result<record::SessionEnd> run(const Budget& budget, jobs::Executor& executor,
                                 const std::function<int()>& stop,
                                 const std::function<void(const Snapshot&)>& view);

  /// Also lets `agents` make designs, for strategies that use them (evolve::asks_agents). `agents` must
  /// outlive the campaign's runs. Agents never block a worker: while none of their designs waits, other
  /// operators and strategies use the slot.
  void ask(Agents* agents);
  /// Replays the recorded actions of agents and the user (campaign/agents.h, `recorded_actions`): they happen
  /// at the same points as in the record. With the recorded replies and one worker, the campaign is
  /// reproduced. `run` returns the error "replay" if it is not.
  void replay(std::vector<RecordedAction> actions);

 private:
  struct State;
  class Session;
  explicit Campaign(std::unique_ptr<State> state);
  static Result<Campaign> open_locked(Lock lock, const CampaignPaths& paths, const MakeScreener& screener);
  std::unique_ptr<State> state_;
};

/// Convert a plan to and from the text in the first event. Errors: "preset".
std::string to_toml(const CampaignPlan& plan);
Result<CampaignPlan> parse_plan(const record::CampaignBegun& begun);
/// Returns the spec of a run, as determined by the plan and its events. It lacks the folder and what depends
/// on other runs (hurdles, the text of its pair). Errors: a program that does not parse.
Result<record::TrialSpec> spec_of(const CampaignPlan& plan, const record::DesignCreated& created,
                                  const record::TrialBegun& begun);

}  // namespace gabbro::campaign
