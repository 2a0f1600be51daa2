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

struct Agents;          // campaign/agents.h
struct RecordedAction;  // campaign/agents.h

/// Paths of a campaign: DIR/campaign.db, DIR/trials/ID (spec, result and weights of a trial, that is, of a
/// training run) and DIR/profiles/ID (capability tasks of a design).
struct CampaignPaths {
  std::string dir;
  [[nodiscard]] std::string store() const { return dir + "/campaign.db"; }
  /// Returns the file to which store() links if the record lies elsewhere (link_record), else store().
  [[nodiscard]] std::string record_file() const;
  /// Returns the folder whose lock the campaign's process holds: that of record_file().
  [[nodiscard]] std::string lock_folder() const;
  /// Returns store() if it exists. Errors: "campaign".
  [[nodiscard]] Result<std::string> existing_store() const;
  [[nodiscard]] std::string trial(std::int64_t id) const { return dir + "/trials/" + std::to_string(id); }
  [[nodiscard]] std::string profile(std::int64_t design) const {
    return dir + "/profiles/" + std::to_string(design);
  }
};

/// Makes campaign.db and calls.db of a new campaign links to files in `folder`, which may lie on a disk of
/// this machine, while the rest lies on a shared one. Creates both folders. Errors: "io"; "campaign" if
/// `folder` has a record already.
Result<bool> link_record(const CampaignPaths& paths, const std::string& folder);

/// The configuration that is fixed when a campaign begins. It is written into the first event and read from
/// there on resume.
struct CampaignPlan {
  evolve::SearchSettings settings;
  std::string corpus;       // a folder made by `gabbro data build`
  std::string corpus_hash;  // hash of its content; empty: not recorded
  std::uint64_t seed = 1;
  int threads = 1;       // threads of a worker; results depend on the number
  int workers = 0;       // concurrent runs that were asked for, on which the course depends; 0: not given
  bool aa_test = false;  // an A/A test: copies of the first baseline instead of a search
  // Programs of user designs (evolve::is_user_design), with as many blocks as they have at the first rung.
  std::vector<std::string> user_programs;
  // A text from which the seeds of comparisons are derived, told to no worker and no agent. Normally 128
  // random bits in hexadecimal, drawn when the campaign is created, after user_programs were written.
  std::string secret;
  // True if a person chose the secret, who can then compute the seeds of comparisons.
  bool secret_given = false;
};

/// Limits of a session, which is one call of Campaign::run. It stops at the first that is reached; 0: no
/// limit.
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
  double seconds = 0;                 // elapsed in this session
  double seconds_left = 0;            // until the time budget is spent; negative: there is none
  std::int64_t ended_in_session = 0;  // number of runs that ended in this session
  std::int64_t trials_limit = 0;      // of runs in the whole campaign (Budget::trials); 0: none
  int workers = 0, busy = 0;          // jobs that can run at the same time, and those that do
  std::string agents;                 // what the agents do, or that the campaign is paused; may be empty
  std::string cluster;                // what its jobs do (jobs::Executor::status); empty: no cluster
  std::string warning;                // why this session cannot reach a verdict; empty if none is known
};

class Campaign {
 public:
  /// Creates the folder, and records the first event and the initial designs: baselines, controls and user
  /// designs, or the copies of an A/A test. `make_screener` is called for each screener of the campaign.
  /// Errors: "campaign" (one exists already), "usage" (the seed is too large), "duplicate" (a user design
  /// equals another design), "store", "io", and errors of sizing the initial designs at the first rung.
  static Result<Campaign> create(const CampaignPaths& paths, const CampaignPlan& plan,
                                 const MakeScreener& make_screener = screener_in_process);
  /// Opens a campaign to resume it. Errors: "campaign" (none exists), "store" (another process works on it),
  /// "preset" (its plan cannot be read), "event" (an event cannot be read or applied), "io".
  static Result<Campaign> open(const CampaignPaths& paths,
                               const MakeScreener& make_screener = screener_in_process);
  /// Returns true if a process, perhaps this one, works on the campaign, whose folder must exist.
  static bool is_open(const CampaignPaths& paths);
  Campaign(Campaign&&) noexcept;
  ~Campaign();

  [[nodiscard]] const CampaignPlan& plan() const;
  /// Sets the folder in which this process finds the corpus, which may have moved. The record keeps the
  /// original folder.
  void set_corpus_folder(std::string folder);
  [[nodiscard]] const evolve::Population& population() const;

  /// Runs one session: until the budget is spent, nothing is left to do, or `stop` returns 1 or 2. For 1,
  /// training runs end at their next step with a checkpoint, from which they resume later. For 2, they are
  /// killed. `view` is called a few times a second and at the end. Returns why the session ended. The first
  /// error ends it, among them "jobs" (workers cannot be started), "io" (the disk is full), "store" (the
  /// record cannot be written), "screener" (no screener works), and "campaign" (no design can be trained, or
  /// a run of a baseline failed). All events recorded so far remain.
  Result<record::SessionEnd> run(const Budget& budget, jobs::Executor& executor,
                                 const std::function<int()>& stop,
                                 const std::function<void(const Snapshot&)>& view);

  /// Lets `agents` make designs in later calls of `run`, during which they must exist, for the strategies
  /// that use them (evolve::asks_agents). Agents never block a worker: while none of their designs waits,
  /// other operators and strategies use it.
  void use_agents(Agents* agents);
  /// Sets the recorded actions of agents and the user (campaign/agents.h, `recorded_actions`) that `run`
  /// replays, at the same points as in the record. With the recorded replies and one worker, the campaign is
  /// reproduced. `run` returns the error "replay" if it is not.
  void replay(std::vector<RecordedAction> actions);

 private:
  struct State;
  class Session;
  explicit Campaign(std::unique_ptr<State> state);
  static Result<Campaign> open_locked(Lock lock, const CampaignPaths& paths,
                                      const MakeScreener& make_screener);
  std::unique_ptr<State> state_;
};

/// Convert a plan to and from the text in the first event. Errors: "preset".
std::string to_toml(const CampaignPlan& plan);
/// Returns the plan for readers, without its secret: whoever knows that, knows the texts that judge.
std::string public_toml(CampaignPlan plan);
Result<CampaignPlan> parse_plan(const record::CampaignBegun& begun);
/// Returns the spec of a run, as determined by the plan and the run's events. It lacks the folder and what
/// depends on other runs: hurdles, and the hash of the text that all runs of its rung and seed read. Errors:
/// those of the parser, if the design has another depth at the rung and its program does not parse.
Result<record::TrialSpec> spec_of(const CampaignPlan& plan, const record::DesignCreated& created,
                                  const record::TrialBegun& begun);

}  // namespace gabbro::campaign
