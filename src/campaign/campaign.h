// The loop: what is to be trained next, workers that train it, and a record that survives anything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "campaign/judge.h"
#include "edit/codebook.h"
#include "evolve/ladder.h"
#include "evolve/population.h"
#include "evolve/strategy.h"
#include "jobs/jobs.h"
#include "record/trial.h"
#include "store/store.h"

namespace gabbro::campaign {

struct Agents;  // campaign/agents.h
struct Moment;

/// Where a campaign lives: DIR/campaign.db, DIR/trials/ID (spec, result and weights of a run).
struct Place {
  std::string dir;
  [[nodiscard]] std::string store() const { return dir + "/campaign.db"; }
  [[nodiscard]] std::string trial(std::int64_t id) const { return dir + "/trials/" + std::to_string(id); }
  [[nodiscard]] std::string profile(std::int64_t design) const {
    return dir + "/profiles/" + std::to_string(design);
  }
};

/// What is fixed when a campaign begins; it is written into its first event, and read from there when it goes
/// on.
struct Plan {
  evolve::Settings settings;
  std::string corpus;       // a folder made by `gabbro data build`
  std::string corpus_hash;  // of what is in it; empty: the record does not say
  std::uint64_t seed = 1;
  int threads = 1;  // of a worker: results depend on it
  std::string device = "cpu";
  bool aa_test = false;  // an A/A test: copies of the first baseline instead of a search
  std::vector<std::string>
      given;  // programs of a person's designs (evolve::is_user_design), as they are at the first rung
};

/// When to stop: whichever comes first; 0: not by this.
struct Budget {
  double minutes = 0;       // of this session
  std::int64_t trials = 0;  // of the campaign
};

/// A run that is under way, for the view.
struct Running {
  std::int64_t trial = 0;
  record::Progress progress;
};

/// A design whose capability tasks are under way.
struct Profiling {
  std::int64_t design = 0;
  record::Progress progress;
};

/// What a view shows; borrowed, for the length of a call.
struct Snapshot {
  const evolve::Population& population;
  evolve::Phase phase;
  std::vector<Running> running;
  std::vector<Profiling> profiling;
  double seconds = 0;            // of this session
  double left = 0;               // of its budget; negative: unknown
  std::int64_t trials_here = 0;  // that ended in this session
  std::string agents;            // what they are at; empty: there are none
  std::string warning;           // why no verdict can come of this session; empty: one can
};

class Campaign {
 public:
  /// `judge` makes who decides on programs. Makes the folder and writes the first event and the baselines.
  /// Errors: "campaign" (there is one already), "store", "io", those of the baselines at the first rung.
  static Result<Campaign> create(const Place& place, const Plan& plan, const MakeJudge& judge = judge_here);
  /// Opens a campaign to go on with it. Errors: "campaign" (none there), "store" (another process works on
  /// it), "event".
  static Result<Campaign> open(const Place& place, const MakeJudge& judge = judge_here);
  Campaign(Campaign&&) noexcept;
  ~Campaign();

  [[nodiscard]] const Plan& plan() const;
  /// From here on its corpus lies in `folder`. The record keeps the folder that it began with.
  void move_corpus(std::string folder);
  [[nodiscard]] const evolve::Population& population() const;

  /// Works until the budget is spent, nothing is left to do, or `stop` says 1 (runs end at their next step
  /// with a checkpoint, to be gone on with) or 2 (they are killed). `view` is called a few times a second and
  /// at the end. Returns why it ended. Errors: "jobs" (workers cannot be started:
  /// the first fails at once), "store" (the disk is full): all that was recorded stays.
  Result<record::SessionEnd> run(const Budget& budget, jobs::Executor& executor,
                                 const std::function<int()>& stop,
                                 const std::function<void(const Snapshot&)>& view);

  /// Designs are asked of `agents` too, by the strategies that do (evolve::asks_agents); they outlive the
  /// campaign's runs. Their thinking never holds a worker: while none of their designs waits, other operators
  /// and other strategies have the slot.
  void ask(Agents* agents);
  /// Follows a recorded course (campaign/agents.h, `moments`): tasks begin and end where they did. With the
  /// recorded replies and one worker, the same campaign comes out. `run` then also returns the error "replay"
  /// where it does not.
  void follow(std::vector<Moment> course);

 private:
  struct State;
  class Session;
  explicit Campaign(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The plan as it stands in the first event, and back. Errors: "preset".
std::string to_toml(const Plan& plan);
Result<Plan> parse_plan(const record::CampaignBegun& begun);
/// What a run is asked for, as the plan and its events say; without its folder, and without what depends on
/// other runs (hurdles, the text of its pair). Errors: a program that does not parse.
Result<record::TrialSpec> spec_of(const Plan& plan, const record::DesignCreated& created,
                                  const record::TrialBegun& begun);

}  // namespace gabbro::campaign
