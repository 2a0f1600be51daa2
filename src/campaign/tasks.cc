// Agents and steering in the campaign loop: begins and finishes tasks, passes on their designs, and replays
// recorded actions.
#include <fmt/format.h>

#include <algorithm>

#include "campaign/state.h"
#include "lang/parser.h"

namespace gabbro::campaign {

using evolve::AgentTask;
using record::Event;

// Returns true if the campaign has progressed as far as the recorded one had at the time of an action.
bool Campaign::State::is_due(const RecordedAction& action) const {
  const auto ended = std::count_if(population.trials().begin(), population.trials().end(),
                                   [](const evolve::Trial& t) { return t.ended; });
  return action.draws <= population.attempts() &&
         action.runs_begun <= static_cast<std::int64_t>(population.trials().size()) &&
         action.runs_ended <= ended;
}

// Records the steering and the finished tasks that have arrived since the last call, and begins new tasks as
// long as no more designs are in progress than can be trained. It is called before each decision, so that
// everything a decision depends on is recorded first.
Result<bool> Campaign::State::handle_external_events(std::int64_t trainable) {
  if (actions_to_replay) return replay_due_actions();
  for (record::Steered s : inbox(paths.dir)) {
    const bool has_target =
        (s.what != record::Steering::kVeto && s.what != record::Steering::kPromote) ||
        (s.design >= 1 && s.design <= static_cast<std::int64_t>(population.individuals().size()));
    bool may_apply = has_target;  // `steer` has checked it, but the campaign may have gone on since
    if (has_target && s.what == record::Steering::kPromote) {
      const auto rung =
          evolve::next_rung_by_hand(population.individual(s.design), plan.settings.rungs.size());
      may_apply = rung.has_value();
      s.rung = rung.value_or(0);
    }
    if (may_apply && !population.knows_steering(s.key))
      if (const auto ok = record({s}); !ok) return ok;
    remove_from_inbox(paths.dir, s.key);
  }
  if (!agents) return true;
  for (agents::TaskPool::Done& done : agents->pool->poll())
    if (const auto ok = finish_task(done); !ok) return ok;
  return trainable > 0 && !population.paused() ? begin_tasks(trainable) : true;
}

Result<bool> Campaign::State::finish_task(const agents::TaskPool::Done& done) {
  open_tasks.erase(done.task);
  if (done.report.cause == record::Cause::kStopped) return true;  // a later session begins it again
  // If no screener works, the machine is at fault, and a later session begins the task again.
  if (done.report.cause == record::Cause::kScreener) return fail("screener", done.report.detail);
  const std::string& strategy = population.tasks()[static_cast<std::size_t>(done.task - 1)].begun.strategy;
  if (done.report.outcome != record::TaskOutcome::kDesign) failed_at[strategy] = seconds_now();
  spending_cap_reached = spending_cap_reached || done.report.cause == record::Cause::kCap;
  return record({record::TaskEnded{.id = done.task, .report = record::to_json(done.report)}});
}

// Returns true while a strategy's agents pause after consecutive failures (exponential backoff), for 1, 2,
// 4 ... 64 seconds, so that a model that fails or is unavailable is not called without end.
bool Campaign::State::backs_off(const std::string& strategy) const {
  constexpr int kMaxFailures = 7;  // more do not lengthen the pause
  int failures = 0;
  const auto& ended = population.ended_tasks();
  for (auto id = ended.rbegin(); id != ended.rend() && failures < kMaxFailures; ++id) {
    const AgentTask& t = population.tasks()[static_cast<std::size_t>(*id - 1)];
    if (t.begun.strategy != strategy) continue;
    if (t.report.outcome == record::TaskOutcome::kDesign && t.refused == record::Cause::kNone) break;
    ++failures;
  }
  const auto last = failed_at.find(strategy);
  return failures > 0 && last != failed_at.end() && seconds_now() < last->second + (1 << (failures - 1));
}

// Returns true if each baseline has a run that ended. The first tasks wait for that, since agents need
// something to compare with.
static bool baselines_have_ended(const evolve::Population& p) {
  return std::all_of(p.individuals().begin(), p.individuals().end(), [&](const evolve::Individual& i) {
    if (!evolve::is_baseline(i) || i.vetoed) return true;
    const evolve::Standing s = p.standing(i, 0);
    return s.done + s.unscored > 0;
  });
}

// Returns the mean time that the models took for a task; 0 while none has ended.
double Campaign::State::mean_task_seconds() const {
  double sum = 0;
  for (const std::int64_t id : population.ended_tasks())
    sum += population.tasks()[static_cast<std::size_t>(id - 1)].report.seconds;
  const auto count = static_cast<double>(population.ended_tasks().size());
  return count > 0 ? sum / count : 0;
}

Result<bool> Campaign::State::begin_tasks(std::int64_t trainable) {
  for (const AgentTask& t : population.tasks()) trainable -= t.awaits_screening() ? 1 : 0;
  const auto is_enough = [&] {
    return agents->pool->running() >= agents->pool->max_running() ||
           static_cast<std::int64_t>(open_tasks.size()) >= trainable;
  };
  // Tasks that an earlier process began come first.
  for (const AgentTask& t : population.tasks()) {
    if (is_enough()) return true;
    if (!t.ended && !open_tasks.contains(t.begun.id))
      if (const auto ok = begin_task(t.begun); !ok) return ok;
  }
  if (!baselines_have_ended(population)) return true;
  for (const auto& [strategy, proposer] : strategies) {
    if (is_enough()) return true;
    if (!evolve::asks_agents(strategy) || spending_cap_reached || backs_off(strategy)) continue;
    // Designs that wait to be trained count as in progress, so that agents do not run ahead of the workers.
    int open = 0;
    for (const AgentTask& t : population.tasks())
      if (t.begun.strategy == strategy && (!t.ended || t.awaits_screening())) ++open;
    const int most = wanted_tasks(population, strategy, agents->pool->max_running());
    for (; open < most && !is_enough(); ++open) {
      const auto id = static_cast<std::int64_t>(population.tasks().size()) + 1;
      if (const auto ok = begin_task(next_task(population, strategy, *agents, plan.seed, id)); !ok) return ok;
    }
  }
  return true;
}

Result<bool> Campaign::State::begin_task(const record::TaskBegun& begun) {
  if (const auto ok = record({begun}); !ok) return ok;
  GABBRO_TRY(brief, brief_of(population, population.tasks()[static_cast<std::size_t>(begun.id - 1)],
                             agents_screener));
  open_tasks.insert(begun.id);
  agents->pool->begin(std::move(brief));
  return true;
}

// Repeats the recorded actions that are due.
Result<bool> Campaign::State::replay_due_actions() {
  const auto diverged = [&](const std::string& what) {
    return fail("replay",
                fmt::format("{} after {} draws and {} runs differs from the replayed campaign", what,
                            population.attempts(), population.trials().size()),
                "replay with the same version of gabbro, the same corpus and one worker");
  };
  while (!actions_to_replay->empty() && is_due(actions_to_replay->front())) {
    const Event event = std::move(actions_to_replay->front().event);
    actions_to_replay->erase(actions_to_replay->begin());
    if (const auto* steered = std::get_if<record::Steered>(&event)) {
      if (const auto ok = record({*steered}); !ok) return ok;
    } else if (const auto* begun = std::get_if<record::TaskBegun>(&event)) {
      const auto id = static_cast<std::int64_t>(population.tasks().size()) + 1;
      const record::TaskBegun mine = next_task(population, begun->strategy, *agents, plan.seed, id);
      if (mine.id != begun->id || mine.brief != begun->brief)
        return diverged(fmt::format("the brief of task {}", begun->id));
      if (const auto ok = begin_task(mine); !ok) return ok;
    } else if (const auto* ended = std::get_if<record::TaskEnded>(&event)) {
      if (!open_tasks.contains(ended->id)) return diverged(fmt::format("the end of task {}", ended->id));
      if (const auto ok = finish_task(agents->pool->wait(ended->id)); !ok) return ok;
    }
  }
  return true;
}

// Returns the oldest task of a strategy whose design waits to be trained; null if there is none.
const AgentTask* Campaign::State::waiting_task(const std::string& strategy) const {
  for (const std::int64_t id : population.ended_tasks()) {
    const AgentTask& t = population.tasks()[static_cast<std::size_t>(id - 1)];
    if (t.begun.strategy == strategy && t.awaits_screening()) return &t;
  }
  return nullptr;
}

Result<evolve::Offspring> Campaign::State::offspring_of(const AgentTask& t) {
  evolve::Offspring out;
  out.provenance.mode = t.begun.mode;
  out.parent = t.begun.parent;
  out.second_parent = t.begun.second_parent;
  lang::ParseResult parsed = lang::parse(t.report.program);
  if (!parsed.errors.empty()) return tl::unexpected(parsed.errors.front());
  out.program = std::move(parsed.program);
  return out;
}

// Returns true if agents may still deliver a design to the search, so that it must not end yet.
bool Campaign::State::awaits_agents(evolve::Phase phase) const {
  if (!agents || phase != evolve::Phase::kSearch) return false;
  if (!open_tasks.empty()) return true;
  if (actions_to_replay) return !actions_to_replay->empty();
  return !spending_cap_reached &&
         std::any_of(strategies.begin(), strategies.end(),
                     [&](const auto& strategy) { return backs_off(strategy.first); });
}

std::string Campaign::State::agents_status() const {
  if (population.paused()) return "paused; continue with `gabbro steer --resume`";
  if (!agents) return "";
  const agents::TaskCosts costs = task_costs(population);
  const auto ended = std::count_if(population.tasks().begin(), population.tasks().end(),
                                   [](const AgentTask& t) { return t.ended; });
  std::string out = fmt::format("{} in progress, {} designs, {} failed", open_tasks.size(), costs.designs,
                                ended - costs.designs);
  if (agents->account) out += "; " + agents->account(costs);
  return out;
}

agents::TaskCosts task_costs(const evolve::Population& population) {
  agents::TaskCosts out;
  for (const AgentTask& t : population.tasks()) {
    if (!t.ended) continue;
    out.designs += t.report.outcome == record::TaskOutcome::kDesign ? 1 : 0;
    out.tokens += t.report.input_tokens + t.report.output_tokens;
    out.money += t.report.cost;
  }
  return out;
}

std::vector<RecordedAction> recorded_actions(const store::Store& store) {
  constexpr std::int64_t kPage = 10'000;  // events read at once
  std::vector<RecordedAction> out;
  RecordedAction progress;  // as of the event that is read
  for (std::int64_t from = 1;; from += kPage) {
    const auto page = store.events(from, kPage);
    for (const auto& [time, event] : page) {
      if (const auto* e = std::get_if<record::DesignCreated>(&event))
        progress.draws = std::max(progress.draws, e->attempt);
      if (const auto* e = std::get_if<record::Refused>(&event))
        progress.draws = std::max(progress.draws, e->attempt);
      if (const auto* e = std::get_if<record::TrialBegun>(&event))
        progress.runs_begun = std::max(progress.runs_begun, e->id);
      if (std::holds_alternative<record::TrialEnded>(event)) ++progress.runs_ended;
      // A task that a later process began again is the same task.
      if (const auto* e = std::get_if<record::TaskBegun>(&event)) {
        const bool is_repeated = std::any_of(out.begin(), out.end(), [&](const RecordedAction& action) {
          const auto* other = std::get_if<record::TaskBegun>(&action.event);
          return other && other->id == e->id;
        });
        if (is_repeated) continue;
      } else if (!std::holds_alternative<record::TaskEnded>(event) &&
                 !std::holds_alternative<record::Steered>(event)) {
        continue;
      }
      progress.event = event;
      out.push_back(progress);
    }
    if (static_cast<std::int64_t>(page.size()) < kPage) break;
  }
  return out;
}

}  // namespace gabbro::campaign
