// One session of a campaign: it begins runs while there is a free worker and a budget, takes in what came of
// them, and ends in order whatever happens.
#include <chrono>
#include <optional>
#include <thread>

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
      if (!end_) accept(s_.poll_outside(phase_ == Phase::kSearch));
      while (may_begin() && begin_next() && !has_all_trials()) {
      }
      if (broken_ && !end_) {
        end_ = SessionEnd::kError;
        stop_workers(1);
      }
      if (executor_.running() == 0 && !is_idle()) {
        if (!end_ && stop_() > stopped_) continue;  // asked to stop while designs were drawn
        if (!end_ && s_.suspended) broken_ = s_.suspended->error;
        break;
      }
      show();
      receive();
    }
    return close();
  }

 private:
  Result<bool> begin() {
    s_.slots = executor_.slots();
    s_.asked_to_stop = stop_;
    // Whatever an earlier session left here follows from the record again.
    s_.restarts.clear();
    s_.tries.clear();
    s_.suspended.reset();
    for (const evolve::Trial& t : s_.population.trials())
      if (!t.ended) s_.restarts.push_back(t.begun);
    return s_.record({record::Session{true, {}, executor_.sandbox()}});
  }

  // Remembers the first error; returns whether there was none.
  bool accept(const Result<bool>& result) {
    if (!result && !broken_) broken_ = result.error();
    return result.has_value();
  }

  [[nodiscard]] double seconds() const { return seconds_now() - begun_; }
  [[nodiscard]] bool has_time_budget() const { return budget_.minutes > 0; }
  [[nodiscard]] double seconds_left() const { return 60 * budget_.minutes - seconds(); }
  [[nodiscard]] Left left() const {
    const auto trials = static_cast<double>(s_.population.trials().size());
    Left out;
    if (has_time_budget()) out.all_seconds = 60 * budget_.minutes, out.seconds = seconds_left();
    if (budget_.trials > 0)
      out.all_trials = static_cast<double>(budget_.trials), out.trials = out.all_trials - trials;
    return out;
  }
  [[nodiscard]] bool has_all_trials() const {
    return budget_.trials > 0 && static_cast<std::int64_t>(s_.population.trials().size()) >= budget_.trials &&
           s_.restarts.empty();
  }
  // Returns true while no worker runs and one may be wanted later: the campaign is paused, or agents think.
  [[nodiscard]] bool is_idle() const { return !end_ && (s_.population.paused() || s_.awaits_agents(phase_)); }
  [[nodiscard]] bool may_begin() const {
    return !end_ && !broken_ && executor_.running() < executor_.slots();
  }

  // Ends the session when its budget is spent or somebody asks for it.
  void watch_limits() {
    const bool is_late = has_time_budget() && seconds_left() <= 0;
    if ((is_late || has_all_trials()) && !end_) end_ = SessionEnd::kBudget;
    if (is_late) stop_workers(1);
    if (const int asked = stop_(); asked > stopped_) {
      end_ = SessionEnd::kSignal;
      if (s_.agents) s_.agents->team->stop();
      stop_workers(asked);
    }
  }
  // 1: runs end at their next step, with a checkpoint; 2: they are killed.
  void stop_workers(int how) {
    if (how <= stopped_) return;
    stopped_ = how;
    how >= 2 ? executor_.kill() : executor_.stop();
  }

  // Begins a run or a profile. Returns false when there is nothing to begin now.
  bool begin_next() {
    // Events from outside are recorded before each decision. Agents begin nothing that there is no time to
    // train.
    if (!accept(s_.poll_outside(phase_ == Phase::kSearch)) || s_.population.paused()) return false;
    if (!s_.restarts.empty()) {
      const record::TrialBegun again = s_.restarts.front();
      s_.restarts.erase(s_.restarts.begin());
      return accept(s_.record({again})) && accept(s_.launch(again, executor_));
    }
    const auto profiles = s_.wanted_profiles();
    if (!profiles.empty() && (!has_time_budget() || s_.profile_seconds() < seconds_left()))
      return accept(s_.ask_profile(profiles.front(), executor_));
    return begin_decided();
  }

  bool begin_decided() {
    const Left rest = left();
    if (phase_ == Phase::kSearch) phase_ = s_.phase(rest);
    const auto wanted = s_.decide(phase_, rest);
    if (!wanted) {
      broken_ = wanted.error();
      return false;
    }
    if (!*wanted) return searches_on();
    if (has_time_budget() && s_.expected_seconds((*wanted)->rung) > seconds_left()) {
      end_ = SessionEnd::kBudget;  // it could not end in time
      return false;
    }
    return accept(s_.start(**wanted, executor_));
  }

  // Gives runs of the budget that the final comparison did not need to the search, as after a resume.
  bool searches_on() {
    const std::size_t compared = s_.population.comparisons().size();
    if (phase_ != Phase::kFinal || budget_.trials == 0 || compared == searched_after_ || !s_.has_compared())
      return false;
    searched_after_ = compared;
    phase_ = Phase::kSearch;
    return true;
  }

  void receive() {
    if (executor_.running() == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return;
    }
    const jobs::JobEvents news = executor_.wait(0.25);
    for (const jobs::Update& u : news.updates) {
      if (const auto at = s_.running.find(u.id); at != s_.running.end()) at->second.progress = u.progress;
      if (const auto at = s_.profiling.find(-u.id); at != s_.profiling.end())
        at->second.progress = u.progress;
    }
    for (const jobs::JobEnd& e : news.ended) {
      const bool is_profile = e.id < 0;
      ended_here_ += !is_profile;
      accept(is_profile ? s_.take_profile(e, stopped_ > 0) : s_.take(e, stopped_ > 0));
    }
  }

  void show() {
    Snapshot shot{s_.population, phase_, {}, {}, seconds(), -1, ended_here_};
    if (!goes_on_) shot.warning = s_.too_short(left());
    if (has_time_budget()) shot.left = std::max(0.0, seconds_left());
    for (const auto& [id, r] : s_.running) shot.running.push_back(r);
    for (const auto& [id, r] : s_.profiling) shot.profiling.push_back(r);
    shot.agents = s_.news_of_agents();
    view_(shot);
  }

  Result<SessionEnd> close() {
    if (s_.agents) s_.agents->team->stop();
    show();
    const SessionEnd end = broken_ ? SessionEnd::kError : end_.value_or(SessionEnd::kDone);
    // Nothing is added to a record that cannot be read or written.
    const bool is_recordable = !broken_ || (broken_->code != "store" && broken_->code != "event");
    if (is_recordable) accept(s_.record({record::Session{false, end, executor_.sandbox()}}));
    if (broken_) return tl::unexpected(*broken_);
    return end;
  }

  State& s_;
  const Budget budget_;
  jobs::Executor& executor_;
  const std::function<int()>& stop_;
  const std::function<void(const Snapshot&)>& view_;
  const double begun_ = seconds_now();
  // A comparison that has begun is brought to its end whatever the budget is: no warning is due.
  const bool goes_on_ = evolve::comparison_of(s_.population, evolve::leader(s_.population)) != nullptr;
  Phase phase_ = Phase::kSearch;
  std::optional<SessionEnd> end_;   // set: nothing more is begun
  std::optional<Error> broken_;     // the first error
  int stopped_ = 0;                 // 1: workers were asked to stop; 2: they were killed
  std::int64_t ended_here_ = 0;     // runs
  std::size_t searched_after_ = 0;  // comparisons, when the search last went on behind one
};

Result<SessionEnd> Campaign::run(const Budget& budget, jobs::Executor& executor,
                                 const std::function<int()>& stop,
                                 const std::function<void(const Snapshot&)>& view) {
  return Session(*state_, budget, executor, stop, view).run();
}

}  // namespace gabbro::campaign
