// The state of a running campaign and what the campaign does with it. This header is private to the files
// that implement Campaign.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "base/clock.h"
#include "campaign/agents.h"
#include "campaign/campaign.h"
#include "campaign/fault.h"
#include "evolve/rates.h"
#include "zoo/library.h"

namespace gabbro::campaign {

// Holds the rest of a budget and the whole of it: seconds of this session, runs (trials) of the whole
// campaign. An amount without a limit is infinite.
struct RemainingBudget {
  double seconds = std::numeric_limits<double>::infinity(), total_seconds = seconds;
  double trials = std::numeric_limits<double>::infinity(), total_trials = trials;
};

struct Campaign::State {
  State(CampaignPaths campaign_paths, CampaignPlan campaign_plan, store::Store campaign_store,
        const MakeScreener& make_screener)
      : paths(std::move(campaign_paths)),
        plan(std::move(campaign_plan)),
        store(std::move(campaign_store)),
        population(plan.settings),
        catalogue(zoo::library()),
        screener(make_screener()),
        agents_screener(make_screener()) {
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
  // Applies a recorded event to the population, the durations of runs and the catalogue.
  Result<bool> apply(const record::Event& event) {
    if (const auto ok = population.apply(event); !ok) return ok;
    if (const auto* ended = std::get_if<record::TrialEnded>(&event))
      if (const evolve::Trial& trial = population.trial(ended->id);
          trial.status == record::Status::kDone && !evolve::is_by_hand(trial)) {
        RunDurations& at_rung = durations[trial.begun.rung];
        at_rung.total_seconds += ended->seconds;
        ++at_rung.runs;
      }
    // Other designs may use the units that agents wrote.
    if (const auto* created = std::get_if<record::DesignCreated>(&event); created && created->task != 0)
      catalogue.add_units_of(population.individual(created->id).program);
    return true;
  }

  // campaign.cc: the designs that a campaign starts with.
  Result<bool> create_initial_designs();

  // decide.cc: what happens next.
  [[nodiscard]] evolve::Phase phase(const RemainingBudget& left) const;
  [[nodiscard]] std::int64_t trainable_designs(const RemainingBudget& left) const;
  [[nodiscard]] double comparison_runs(const evolve::Leader& best) const;
  [[nodiscard]] bool comparison_is_over() const;
  [[nodiscard]] RemainingBudget beside_comparison(double runs, int r, RemainingBudget left) const;
  [[nodiscard]] bool may_run_by_hand(int r, const RemainingBudget& left) const;
  [[nodiscard]] const evolve::Trial* next_open_run_by_hand(const RemainingBudget& left) const;
  [[nodiscard]] std::string why_not_run_by_hand(const RemainingBudget& left) const;
  [[nodiscard]] bool is_search_running() const;
  [[nodiscard]] int highest_affordable_rung(const RemainingBudget& left) const;
  [[nodiscard]] double compared_designs() const;
  [[nodiscard]] evolve::RateRuns learning_rate_runs(int r, int seeds) const;
  [[nodiscard]] double comparison_share() const;
  [[nodiscard]] std::string why_too_short(const RemainingBudget& left) const;
  Result<std::optional<evolve::RunRequest>> decide(evolve::Phase& phase, const RemainingBudget& left);
  struct NextComparisonRun {
    std::optional<evolve::RunRequest> run;
    bool waits = false;  // runs in progress determine what comes next
  };
  Result<NextComparisonRun> next_comparison_run();
  [[nodiscard]] std::optional<std::size_t> next_strategy() const;
  Result<std::optional<evolve::RunRequest>> propose();
  Result<bool> make_ablations();

  // tasks.cc: agents and steering.
  Result<bool> handle_external_events(std::int64_t trainable);
  Result<bool> end_vetoed_runs(jobs::Executor& executor);
  Result<bool> begin_tasks(std::int64_t trainable);
  [[nodiscard]] double mean_task_seconds() const;
  Result<bool> begin_task(const record::TaskBegun& begun);
  Result<bool> finish_task(const agents::TaskPool::Done& done);
  Result<bool> replay_due_actions();
  [[nodiscard]] bool is_due(const RecordedAction& action) const;
  [[nodiscard]] std::string agents_status() const;
  [[nodiscard]] bool awaits_agents(evolve::Phase phase) const;
  [[nodiscard]] bool backs_off(const std::string& strategy) const;
  [[nodiscard]] const evolve::AgentTask* waiting_task(const std::string& strategy) const;
  static Result<evolve::Offspring> offspring_of(const evolve::AgentTask& task);

  // profiles.cc: rung 0, the capabilities of promoted designs before they read any text.
  [[nodiscard]] std::vector<std::int64_t> designs_to_profile() const;
  [[nodiscard]] double mean_profile_seconds() const;
  Result<bool> start_profile(std::int64_t design, jobs::Executor& executor);
  Result<bool> handle_profile_end(const jobs::JobEnd& ended, bool stop_requested);

  // runs.cc and machine_check.cc: submitting runs to workers and handling their results.
  Result<bool> start_run(const evolve::RunRequest& wanted, jobs::Executor& executor);
  Result<bool> submit_run(const record::TrialBegun& begun, jobs::Executor& executor);
  Result<bool> submit_job(std::int64_t id, const std::string& folder, const std::string& spec, double seconds,
                          const std::vector<std::string>& reads, const std::string& rung_name,
                          jobs::Executor& executor);
  void attach(jobs::Executor& executor);
  Result<bool> handle_run_end(const jobs::JobEnd& ended, bool stop_requested);
  // The end of a run, and what may be at fault.
  struct EndedRun {
    record::TrialEnded event;  // not recorded yet
    std::string cause;         // why it has no score; "" if it has one
    Fault fault = Fault::kDesign;
    bool has_other_held_out_text = false;  // it was scored on another text than the known architectures
  };
  Result<bool> handle_end_by_hand(EndedRun end, bool stop_requested);
  [[nodiscard]] EndedRun read_end(const jobs::JobEnd& ended, const evolve::Trial& trial) const;
  [[nodiscard]] Result<bool> fail_for_known_design(const evolve::Trial& trial, const EndedRun& run) const;
  [[nodiscard]] Result<bool> fail_for_cluster(const std::string& job, int ends,
                                              const std::string& cause) const;
  Result<bool> record_end(record::TrialEnded event);
  // The id of the job that checks the machine; runs have positive ids, profiles negative ones.
  static constexpr std::int64_t kMachineCheck = 0;
  struct MachineCheck {
    record::TrialBegun begun;      // of the check itself; not recorded
    record::TrialSpec spec;        // of the check itself
    record::TrialBegun first_run;  // the first of the runs that it judges
    std::vector<EndedRun> runs;    // all runs that it judges
  };
  [[nodiscard]] const evolve::Individual* check_design_for(const EndedRun& run) const;
  Result<bool> hold_for_check(EndedRun run);
  [[nodiscard]] bool trains_anew(const evolve::Trial& trial) const;
  Result<bool> restart_or_record(EndedRun run);
  [[nodiscard]] std::string why_not_trained(const MachineCheck& check, const jobs::JobEnd& ended) const;
  [[nodiscard]] bool needs_machine_check() const { return !runs_to_check.empty() && !machine_check; }
  [[nodiscard]] bool awaits_check_of_numbers() const;
  [[nodiscard]] bool awaits_machine_check() const { return !runs_to_check.empty() || machine_check; }
  Result<bool> start_machine_check(jobs::Executor& executor);
  Result<bool> handle_machine_check_end(const jobs::JobEnd& ended, bool stop_requested,
                                        const jobs::Executor& executor);
  [[nodiscard]] bool is_trusted(const evolve::Trial& trial) const;
  [[nodiscard]] bool may_be_stopped_early(const record::TrialBegun& begun) const;
  // Each of these returns the reason to refuse the result `r` of a trial, or "" if there is none.
  [[nodiscard]] std::string why_implausible(const record::TrialResult& r, const evolve::Trial& trial) const;
  [[nodiscard]] std::string why_wrong_cost(const record::TrialResult& r, const evolve::Trial& trial) const;
  [[nodiscard]] std::string why_wrong_design(const record::TrialResult& r, const evolve::Trial& trial) const;
  [[nodiscard]] std::string why_repeated(const record::TrialResult& r, const evolve::Trial& trial) const;
  // Returns the same for the hash of the held-out text on which a run was scored.
  [[nodiscard]] std::string why_wrong_held_out_text(const std::string& hash,
                                                    const record::TrialBegun& begun) const;
  void tidy_folder(const evolve::Trial& trial) const;
  Result<bool> remove_checkpoint(std::int64_t trial) const;
  [[nodiscard]] bool has_free_disk() const;
  [[nodiscard]] std::string why_no_room(const record::TrialBegun& begun,
                                        const jobs::Executor& executor) const;
  [[nodiscard]] double seconds_limit(const record::TrialBegun& begun) const;
  [[nodiscard]] double expected_seconds(int r) const;
  [[nodiscard]] const evolve::Rung& rung(int r) const {
    return plan.settings.rungs.at(static_cast<std::size_t>(r));
  }
  // Returns a number proportional to the training FLOPs of a run at a rung.
  [[nodiscard]] double training_cost(int r) const {
    return static_cast<double>(rung(r).params) * static_cast<double>(rung(r).tokens);
  }

  CampaignPaths paths;
  CampaignPlan plan;
  std::optional<Lock> lock;  // lock of the folder; none while `create` still holds it
  store::Store store;
  evolve::Population population;
  edit::UnitCatalogue catalogue;
  // By name. The strategy is null if only agents propose its designs.
  std::vector<std::pair<std::string, std::unique_ptr<evolve::Strategy>>> strategies;
  std::shared_ptr<Screener> screener;         // screens the draws of strategies
  std::shared_ptr<Screener> agents_screener;  // screens the programs of agents, from their threads
  std::map<std::int64_t, Running> running;
  std::map<std::int64_t, Profiling> profiling;  // by design; their jobs have the negated id
  // Runs to begin again, since an earlier process began them or they ended without a result.
  std::vector<record::TrialBegun> restarts;
  // Counts the ends of each job in this session, by fault. One fault does not use up the tries of another.
  std::map<std::pair<std::int64_t, Fault>, int> end_counts;
  // Runs of this session that began from a checkpoint.
  std::set<std::int64_t> continued_runs;
  // Seconds that the worker of each run worked in this session, over all its starts.
  std::map<std::int64_t, double> run_seconds;
  // Runs that wait for a check of the machine: either their design is at fault, or the machine. Only the
  // worker says which, and the design may have taken it over. Nothing is recorded before a few steps of a
  // known architecture have shown that workers work. Until then these runs stay in `running`.
  std::vector<EndedRun> runs_to_check;
  std::optional<MachineCheck> machine_check;  // the check in progress
  bool distrusts_numbers = false;             // a check of wrong numbers failed: checkpoints may be wrong
  struct RunDurations {
    double total_seconds = 0;
    int runs = 0;
    [[nodiscard]] double mean() const { return total_seconds / runs; }
  };
  std::map<int, RunDurations> durations;  // of finished runs, by rung
  int slots = 1;                          // maximum number of jobs that run at once
  std::function<int()> asked_to_stop;     // `stop` of Campaign::run: 0 means to go on
  std::int64_t ablated_leader = 0;        // the leader whose ablations were requested in this session
  bool exhausted = false;                 // kDraws draws in a row gave no design, so nothing is proposed
  Agents* agents = nullptr;
  std::set<std::int64_t> open_tasks;        // tasks that agents are working on
  bool spending_cap_reached = false;        // no more tasks in this session
  std::map<std::string, double> failed_at;  // by strategy, the time when its last task ended without a design
  // In a replay, the recorded actions that are still to come.
  std::optional<std::vector<RecordedAction>> actions_to_replay;
};

}  // namespace gabbro::campaign
