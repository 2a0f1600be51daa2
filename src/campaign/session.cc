// One session of a campaign: it begins jobs while there is a free worker and a budget, handles their results,
// and records how it ended, also after an error that leaves the record usable. A job is a run of a trial (its
// id is the trial's), a profile (the negated id of its design), or a check of the machine
// (State::kMachineCheck).
#include <chrono>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "campaign/campaign.h"
#include "campaign/state.h"
#include "evolve/comparison.h"

namespace gabbro::campaign {

using evolve::Phase;
using record::SessionEnd;

class Campaign::Session {
 public:
  Session(State& state, const Budget& budget, jobs::Executor& executor, const std::function<int()>& stop,
          const std::function<void(const Snapshot&)>& view)
      : s_(state), budget_(budget), executor_(executor), stop_(stop), view_(view) {}

  Result<SessionEnd> run() {
    if (const auto ok = begin(); !ok) return tl::unexpected(ok.error());
    while (true) {
      watch_limits();
      if (!end_) handle_external_events();
      while (may_begin() && begin_next()) {
      }
      if (first_error_ && !end_) {
        end_ = SessionEnd::kError;
        stop_workers(1);
      }
      if (can_train_no_new_design()) stop_agents(agents::kSecondsForLastCalls);
      if (executor_.running() == 0 && !may_need_workers_later()) {
        if (!end_ && stop_() > stop_level_)
          continue;  // a stop request ended the drawing of designs; watch_limits handles it
        if (!begin_last_check()) break;
      }
      show();
      wait_for_workers();
    }
    return close();
  }

 private:
  Result<bool> begin() {
    s_.slots = executor_.slots();
    s_.asked_to_stop = stop_;
    // An earlier session of this process may have left these. They count or hold what happens in one session;
    // the runs that are open in the record begin again.
    s_.restarts.clear();
    s_.end_counts.clear();
    s_.run_seconds.clear();
    s_.runs_to_check.clear();
    s_.machine_check.reset();
    s_.running.clear();
    s_.continued_runs.clear();
    // Runs by hand go on where the budget has room for them.
    for (const evolve::Trial& t : s_.population.trials())
      if (!t.ended && !evolve::is_by_hand(t)) s_.restarts.push_back(t.begun);
    s_.attach(executor_);
    // An earlier session may have ended because the worker of one of these runs filled the disk.
    if (!s_.has_free_disk())
      for (const record::TrialBegun& begun : s_.restarts) s_.tidy_folder(s_.population.trial(begun.id));
    return s_.record({record::Session{.begins = true, .end = {}, .sandbox = executor_.sandbox()}});
  }

  // Remembers the first error. Returns false if `result` is an error.
  bool is_ok(const Result<bool>& result) {
    if (!result && !first_error_) first_error_ = result.error();
    return result.has_value();
  }

  void handle_external_events() {
    const bool may_ask = s_.agents && phase_ == Phase::kSearch;
    is_ok(s_.handle_external_events(may_ask ? s_.trainable_designs(left()) : 0));
    if (!first_error_) is_ok(s_.end_vetoed_runs(executor_));
  }

  // Returns true if no design that agents may still deliver can get a run in this session. After a
  // comparison, the search goes on only if the budget limits the number of runs (resume_search).
  [[nodiscard]] bool can_train_no_new_design() const {
    return end_ || first_error_ || has_begun_all_trials() || (phase_ == Phase::kFinal && budget_.trials == 0);
  }
  // Lets agents ask nothing more; calls in progress have `seconds` left.
  void stop_agents(double seconds) {
    if (s_.agents && seconds < seconds_for_calls_) s_.agents->pool->stop(seconds_for_calls_ = seconds);
  }

  // Waits for calls in progress, since they are billed anyway and count with their maximum cost if they are
  // cut off, and records the tasks that they complete.
  void close_agents() {
    constexpr double kSecondsToEnd = 2;  // for a task after its calls were cut off
    stop_agents(agents::kSecondsForLastCalls);
    const double last = seconds() + agents::kSecondsForLastCalls + kSecondsToEnd;
    while (s_.agents->pool->running() > 0 && stop_() < 2 && seconds() < last)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stop_agents(0);
    if (!first_error_) is_ok(s_.handle_external_events(/*designs=*/0));
  }

  [[nodiscard]] double seconds() const { return seconds_now() - begun_; }
  [[nodiscard]] bool has_time_budget() const { return budget_.minutes > 0; }
  [[nodiscard]] double seconds_left() const { return 60 * budget_.minutes - seconds(); }
  [[nodiscard]] RemainingBudget left() const {
    const auto trials = static_cast<double>(s_.population.trials().size());
    RemainingBudget out;
    if (has_time_budget()) out.total_seconds = 60 * budget_.minutes, out.seconds = seconds_left();
    if (budget_.trials > 0)
      out.total_trials = static_cast<double>(budget_.trials), out.trials = out.total_trials - trials;
    return out;
  }
  [[nodiscard]] bool has_begun_all_trials() const {
    return budget_.trials > 0 && static_cast<std::int64_t>(s_.population.trials().size()) >= budget_.trials;
  }
  // Returns true if all runs of the budget have begun and ended, and none of them has to begin again.
  [[nodiscard]] bool has_used_all_trials() const {
    return has_begun_all_trials() && s_.restarts.empty() && !s_.awaits_machine_check() && s_.running.empty();
  }
  // Returns true if a worker may be needed later, although none is now: the campaign is paused, or agents are
  // working.
  [[nodiscard]] bool may_need_workers_later() const {
    return !end_ && (s_.population.paused() || s_.awaits_agents(phase_));
  }
  [[nodiscard]] bool may_begin() const {
    return !end_ && !first_error_ && executor_.running() < executor_.slots();
  }

  // Ends the session when its budget is spent or the user asks for it.
  void watch_limits() {
    const bool is_time_over = has_time_budget() && seconds_left() <= 0;
    if ((is_time_over || has_used_all_trials()) && !end_) end_ = SessionEnd::kBudget;
    if (is_time_over && !is_last_check_) stop_workers(1);
    if (const int level = stop_(); level > stop_level_) {
      end_ = SessionEnd::kSignal;
      stop_agents(level >= 2 ? 0 : agents::kSecondsForLastCalls);
      stop_workers(level);
    }
  }
  // Stops all workers, unless they were asked to stop at this level before. Level 1: runs end at their next
  // step, with a checkpoint; 2: they are killed.
  void stop_workers(int level) {
    if (level <= stop_level_) return;
    stop_level_ = level;
    level >= 2 ? executor_.kill() : executor_.stop();
  }

  // Begins a job: a check of the machine, a run or a profile. Returns false if there is none to begin now.
  bool begin_next() {
    // External events are recorded before each decision.
    handle_external_events();
    if (first_error_ || s_.population.paused()) return false;
    if (s_.needs_machine_check()) return is_ok(s_.start_machine_check(executor_));
    if (!s_.restarts.empty()) {
      const record::TrialBegun again = s_.restarts.front();
      s_.restarts.erase(s_.restarts.begin());
      return begin_again(again);
    }
    if (phase_ == Phase::kSearch)
      if (const evolve::Trial* open = s_.next_open_run_by_hand(left())) return begin_again(open->begun);
    const auto profiles = s_.designs_to_profile();
    if (!profiles.empty() && (!has_time_budget() || s_.mean_profile_seconds() < seconds_left()))
      return is_ok(s_.start_profile(profiles.front(), executor_));
    return begin_decided();
  }

  // By value, since recording changes the run.
  bool begin_again(record::TrialBegun begun) {
    return is_ok(s_.record({begun})) && is_ok(s_.submit_run(begun, executor_));
  }

  // Starts the check of the machine for which failed runs wait when the budget ends: only its result says
  // whether their designs or the machine are at fault. It takes some seconds. Returns false if none is due.
  bool begin_last_check() {
    if (end_ != SessionEnd::kBudget || first_error_ || !s_.needs_machine_check()) return false;
    is_last_check_ = true;
    stop_level_ = 0;  // nobody has asked this check to stop
    return is_ok(s_.start_machine_check(executor_));
  }

  bool begin_decided() {
    if (has_begun_all_trials()) return false;
    const RemainingBudget rest = left();
    if (phase_ == Phase::kSearch) phase_ = s_.phase(rest);
    const auto wanted = s_.decide(phase_, rest);  // may begin the final phase
    if (!wanted) {
      first_error_ = wanted.error();
      return false;
    }
    if (!*wanted) return resume_search();
    if (has_time_budget() && s_.expected_seconds((*wanted)->rung) > seconds_left()) {
      end_ = SessionEnd::kBudget;  // it could not end in time
      return false;
    }
    return is_ok(s_.start_run(**wanted, executor_));
  }

  // Returns to the search, and returns true, if the final comparison is over and runs of the budget are left.
  // It does so once for each comparison.
  bool resume_search() {
    const std::size_t compared = s_.population.comparisons().size();
    if (phase_ != Phase::kFinal || budget_.trials == 0 || compared == comparisons_before_search_ ||
        !s_.comparison_is_over())
      return false;
    comparisons_before_search_ = compared;
    phase_ = Phase::kSearch;
    return true;
  }

  void wait_for_workers() {
    if (executor_.running() == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return;
    }
    const jobs::JobEvents events = executor_.wait(0.25);
    for (const jobs::Update& u : events.updates) {
      if (const auto run = s_.running.find(u.id); run != s_.running.end()) run->second.progress = u.progress;
      if (const auto profile = s_.profiling.find(-u.id); profile != s_.profiling.end())
        profile->second.progress = u.progress;
    }
    if (events.error && !first_error_) first_error_ = *events.error;
    for (const jobs::JobEnd& e : events.ended) {
      const bool stop_requested = stop_level_ > 0;
      ended_in_session_ += e.id > 0;  // only runs have positive ids
      is_ok(e.id == State::kMachineCheck ? s_.handle_machine_check_end(e, stop_requested, executor_)
            : e.id < 0                   ? s_.handle_profile_end(e, stop_requested)
                                         : s_.handle_run_end(e, stop_requested));
    }
  }

  void show() {
    Snapshot snapshot{.population = s_.population,
                      .phase = phase_,
                      .running = {},
                      .profiling = {},
                      .seconds = seconds(),
                      .seconds_left = -1,  // no time budget
                      .ended_in_session = ended_in_session_,
                      .trials_limit = budget_.trials,
                      .workers = executor_.slots(),
                      .busy = executor_.running(),
                      .agents = {},
                      .cluster = executor_.status(),
                      .warning = {}};
    if (!comparison_has_begun_) snapshot.warning = s_.why_too_short(left());
    if (snapshot.warning.empty()) snapshot.warning = s_.why_not_run_by_hand(left());
    if (has_time_budget()) snapshot.seconds_left = std::max(0.0, seconds_left());
    for (const auto& [id, r] : s_.running) snapshot.running.push_back(r);
    for (const auto& [id, r] : s_.profiling) snapshot.profiling.push_back(r);
    snapshot.agents = s_.agents_status();
    view_(snapshot);
  }

  Result<SessionEnd> close() {
    if (s_.agents) close_agents();
    // The checkpoints of all runs may hold wrong numbers (Fault::kNumbers) if a check after wrong numbers has
    // failed, or if the session ends before such a check.
    if (std::exchange(s_.distrusts_numbers, false) || s_.awaits_check_of_numbers())
      for (const evolve::Trial& t : s_.population.trials())
        if (!t.ended) is_ok(s_.remove_checkpoint(t.begun.id));
    show();
    const SessionEnd end = first_error_ ? SessionEnd::kError : end_.value_or(SessionEnd::kDone);
    // Nothing is added to a record that cannot be read or written.
    const bool is_recordable = !first_error_ || (!is(*first_error_, record::Cause::kStore) &&
                                                 !is(*first_error_, record::Cause::kEvent));
    if (is_recordable)
      is_ok(s_.record({record::Session{.begins = false, .end = end, .sandbox = executor_.sandbox()}}));
    if (first_error_) return tl::unexpected(*first_error_);
    return end;
  }

  State& s_;
  const Budget budget_;
  jobs::Executor& executor_;
  const std::function<int()>& stop_;
  const std::function<void(const Snapshot&)>& view_;
  const double begun_ = seconds_now();
  // A comparison that began in an earlier session goes on, in as many sessions as it needs, so no warning is
  // needed.
  const bool comparison_has_begun_ =
      evolve::comparison_of(s_.population, evolve::leader(s_.population)) != nullptr;
  Phase phase_ = Phase::kSearch;
  std::optional<SessionEnd> end_;  // once set, nothing more is begun, except the last check of the machine
  std::optional<Error> first_error_;
  int stop_level_ = 0;                 // 1: workers were asked to stop; 2: they were killed
  bool is_last_check_ = false;         // the budget is spent; a check of the machine runs
  std::int64_t ended_in_session_ = 0;  // number of runs that ended
  // Seconds that calls of agents were last given to end; infinite while agents may ask.
  double seconds_for_calls_ = std::numeric_limits<double>::infinity();
  // The number of comparisons when the search was last resumed after one.
  std::size_t comparisons_before_search_ = 0;
};

Result<SessionEnd> Campaign::run(const Budget& budget, jobs::Executor& executor,
                                 const std::function<int()>& stop,
                                 const std::function<void(const Snapshot&)>& view) {
  return Session(*state_, budget, executor, stop, view).run();
}

}  // namespace gabbro::campaign
