// The state of a running campaign, for campaign.cc and the other files that implement it.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "base/clock.h"
#include "campaign/agents.h"
#include "campaign/campaign.h"
#include "zoo/library.h"

namespace gabbro::campaign {

// The rest of a budget, and the whole of it; infinite without a limit.
struct Left {
  double seconds = std::numeric_limits<double>::infinity(), all_seconds = seconds;
  double trials = std::numeric_limits<double>::infinity(), all_trials = trials;
};

struct Campaign::State {
  State(CampaignFolder where, CampaignPlan what, store::Store record, const MakeJudge& make_judge)
      : place(std::move(where)),
        plan(std::move(what)),
        store(std::move(record)),
        population(plan.settings),
        book(zoo::library()),
        judge(make_judge()),
        admitter(make_judge()) {
    for (const std::string& name : plan.settings.strategies)
      strategies.emplace_back(name, evolve::make_strategy(name));
  }

  // Appends events to the store, then applies them, so that nothing is applied that is not persisted.
  Result<bool> record(const std::vector<record::Event>& events) {
    if (const auto ok = store.append(events); !ok) return ok;
    for (const record::Event& e : events)
      if (const auto ok = apply(e); !ok) return ok;
    return true;
  }
  // Applies a recorded event to the population and the code book.
  Result<bool> apply(const record::Event& event) {
    if (const auto ok = population.apply(event); !ok) return ok;
    if (const auto* ended = std::get_if<record::TrialEnded>(&event))
      if (const evolve::Trial& trial = population.trial(ended->id); trial.status == record::Status::kDone) {
        auto& [seconds, count] = took[trial.begun.rung];
        seconds += ended->seconds;
        ++count;
      }
    if (const auto* created = std::get_if<record::DesignCreated>(&event); created && created->task != 0)
      book.lend(population.individual(created->id).program);
    return true;
  }

  Result<bool> begin_designs();
  // decide.cc: what happens next.
  [[nodiscard]] evolve::Phase phase(const Left& left) const;
  [[nodiscard]] bool has_compared() const;
  [[nodiscard]] int highest_rung(const Left& left) const;
  [[nodiscard]] bool is_search(const evolve::Trial& trial) const;
  [[nodiscard]] double compared() const;
  [[nodiscard]] double rate_runs(int r) const;
  [[nodiscard]] double share_of_comparison() const;
  [[nodiscard]] std::string too_short(const Left& left) const;
  Result<std::optional<evolve::RunRequest>> decide(evolve::Phase& phase, const Left& left);
  struct Comparing {
    std::optional<evolve::RunRequest> run;
    bool waits = false;
  };
  Result<Comparing> go_on_comparing();
  [[nodiscard]] std::optional<std::size_t> next_strategy() const;
  Result<std::optional<evolve::RunRequest>> propose();
  Result<bool> make_ablations();
  // tasks.cc: agents and steering.
  Result<bool> poll_outside(bool begins);
  Result<bool> finish(const agents::TaskPool::Done& done);
  Result<bool> begin_tasks();
  Result<bool> begin_task(const record::TaskBegun& begun);
  Result<bool> follow();
  [[nodiscard]] std::string news_of_agents() const;
  [[nodiscard]] bool awaits_agents(evolve::Phase phase) const;
  [[nodiscard]] bool rests(const std::string& strategy) const;
  [[nodiscard]] bool is_due(const Moment& moment) const;
  [[nodiscard]] const evolve::AgentTask* waiting(const std::string& strategy) const;
  static Result<evolve::Offspring> offspring_of(const evolve::AgentTask& task);
  // profiles.cc: rung 0, the capabilities of promoted designs before they read any text.
  [[nodiscard]] std::vector<std::int64_t> wanted_profiles() const;
  [[nodiscard]] double profile_seconds() const;
  Result<bool> ask_profile(std::int64_t design, jobs::Executor& executor);
  Result<bool> take_profile(const jobs::JobEnd& ended, bool asked);
  // runs.cc: submitting runs to workers and handling their results.
  Result<bool> start(const evolve::RunRequest& wanted, jobs::Executor& executor);
  Result<bool> submit(std::int64_t id, const std::string& folder, const std::string& spec, double seconds,
                      const std::vector<std::string>& reads, jobs::Executor& executor);
  Result<bool> launch(const record::TrialBegun& begun, jobs::Executor& executor);
  Result<bool> take(const jobs::JobEnd& ended, bool asked);
  Result<bool> take_result(const jobs::JobEnd& ended, const std::optional<Result<record::TrialResult>>& left);
  [[nodiscard]] bool is_trusted(const evolve::Trial& trial) const;
  [[nodiscard]] std::string another_design(const record::TrialResult& r, const evolve::Trial& trial) const;
  [[nodiscard]] bool may_be_stopped(const record::TrialBegun& begun) const;
  [[nodiscard]] std::string repeated(const record::TrialResult& r, const evolve::Trial& trial) const;
  [[nodiscard]] std::string another_cost(const record::TrialResult& r, const evolve::Trial& trial) const;
  [[nodiscard]] std::string another_text(const record::TrialResult& r, const evolve::Trial& trial) const;
  [[nodiscard]] std::string implausible(const record::TrialResult& r, const evolve::Trial& trial) const;
  Result<bool> fail_run(const evolve::Trial& trial, record::TrialEnded event, const std::string& cause);
  void remove_checkpoints(const evolve::Trial& trial) const;
  [[nodiscard]] const evolve::Rung& rung(int r) const {
    return plan.settings.rungs.at(static_cast<std::size_t>(r));
  }
  [[nodiscard]] double work(int r) const {
    return static_cast<double>(rung(r).params) * static_cast<double>(rung(r).tokens);
  }
  [[nodiscard]] double expected_seconds(int r) const;

  CampaignFolder place;
  CampaignPlan plan;
  store::Store store;
  evolve::Population population;
  edit::CodeBook book;
  std::vector<std::pair<std::string, std::unique_ptr<evolve::Strategy>>> strategies;
  std::shared_ptr<Judge> judge, admitter;  // for draws, and for agents' programs
  std::map<std::int64_t, Running> running;
  std::map<std::int64_t, Profiling> profiling;  // by design; their jobs have the negated id
  // Runs to begin again, since an earlier process began them or they ended without a result.
  std::vector<record::TrialBegun> restarts;
  std::map<std::int64_t, int> tries;  // restarts of such runs in this session
  // Runs of one design whose workers blame the machine (the corpus, the disk, the device). Once a run of
  // another design ends well, they are begun again. If a run of another design blames the machine too, the
  // error is accepted.
  struct Suspended {
    std::int64_t design = 0;
    Error error;
    std::vector<record::TrialBegun> runs;
  };
  std::optional<Suspended> suspended;
  std::map<int, std::pair<double, int>> took;  // seconds and number of finished runs, by rung
  int slots = 1;
  std::function<int()> asked_to_stop;  // as passed to run()
  std::int64_t ablated_leader = 0;     // the leader whose ablations were requested in this session
  bool exhausted = false;              // no new design was drawn: no more proposals
  Agents* agents = nullptr;
  std::set<std::int64_t> open_tasks;        // tasks that the team works on
  bool cap_reached = false;                 // the cap is reached: no more tasks in this session
  std::map<std::string, double> failed_at;  // by strategy, the time when its last task ended without a design
  std::optional<std::vector<Moment>> following;  // the rest of a recorded course
};

}  // namespace gabbro::campaign
