// Decides what a campaign does next.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "campaign/state.h"
#include "evolve/ablate.h"
#include "evolve/comparison.h"
#include "evolve/rates.h"
#include "evolve/replicates.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Phase;
using evolve::RunRequest;
using record::Event;

namespace {
constexpr int kDraws = 2000;  // consecutive draws without a design, after which the search is exhausted
// Runs per seed reserved for the ablations of a winner: the number of parts of a small design. The actual
// number is known only once it has won.
constexpr double kParts = 6;
}  // namespace

// Starts the final comparison when just enough of the budget is left for it. The comparison never takes more
// than its share.
Phase Campaign::State::phase(const RemainingBudget& left) const {
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0) return Phase::kSearch;
  if (comparison_is_over()) return Phase::kSearch;
  const record::ComparisonBegun* begun = evolve::comparison_of(population, best);
  constexpr double kAll = std::numeric_limits<double>::infinity();
  const int seeds = begun ? begun->seeds : evolve::planned(population, plan.seed, best, kAll).seeds;
  const double runs = seeds * (comparison_size() + (plan.settings.ablate ? kParts : 0)) +
                      learning_rate_runs(best.rung, seeds).least;
  const double most = comparison_share();
  double open = 0;  // time until the current runs of the search are over
  for (const auto& [id, r] : running)
    if (!evolve::is_verdict_run(population.trial(id)))
      open = std::max(open, expected_seconds(population.trial(id).begun.rung));
  open += static_cast<double>(designs_to_profile().size()) * mean_profile_seconds() / slots;
  const bool time =
      left.seconds <= std::min(open + runs * expected_seconds(best.rung) / slots, most * left.total_seconds);
  const bool trials = left.trials <= std::min(runs, most * left.total_trials);
  return time || trials ? Phase::kFinal : Phase::kSearch;
}

// Returns true if all runs of the leader's comparison, its repeated checks and its ablations have begun or
// ended.
bool Campaign::State::comparison_is_over() const {
  const record::ComparisonBegun* begun = evolve::comparison_of(population, evolve::leader(population));
  return begun && evolve::outcome_of(population, *begun).complete &&
         !evolve::next_run(population, plan.seed, Phase::kFinal);
}

// Returns the number of designs in a comparison: the winner and those it is compared with.
double Campaign::State::comparison_size() const {
  return static_cast<double>(evolve::compared_with(population).size() + 1);
}

// Returns the number of runs that searches for learning rates need before a comparison at a rung.
evolve::RateRuns Campaign::State::learning_rate_runs(int r, int seeds) const {
  return evolve::rate_runs_left(population, r, plan.seed, seeds);
}

// Returns the share of a budget that the final comparison may take: all of it without a search.
double Campaign::State::comparison_share() const {
  return strategies.empty() ? 1 : 1 - plan.settings.search_share;
}

// Returns the highest rung that the rest of the budget allows, for one design, the baselines beside it, and a
// final comparison on the smallest number of seeds that can decide.
int Campaign::State::highest_affordable_rung(const RemainingBudget& left) const {
  int top = 0;
  for (int r = 1; r < static_cast<int>(plan.settings.rungs.size()); ++r) {
    const double deciding =
        (evolve::kLeastSeeds * comparison_size() + learning_rate_runs(r, evolve::kLeastSeeds).least) *
        expected_seconds(r) / slots;
    double runs = rung(r).seeds;
    for (const Individual& i : population.individuals())
      if (is_known(i)) runs += std::max(0, rung(r).seeds - population.standing(i, r).done);
    if (deciding > comparison_share() * left.total_seconds) break;
    if (deciding + runs * expected_seconds(r) / slots > left.seconds) break;
    top = r;
  }
  return top;
}

// Returns why this session cannot reach a verdict. Returns "" if it can, or if the duration of runs is not
// known yet.
std::string Campaign::State::why_too_short(const RemainingBudget& left) const {
  if (plan.aa_test) return "";
  const int least = evolve::kLeastSeeds, at = std::max(0, evolve::leader(population).rung);
  const std::string needs =
      fmt::format("too short to decide: a verdict needs at least {} fresh seeds of {:.0f} designs", least,
                  comparison_size());
  const evolve::RateRuns rates = learning_rate_runs(at, least);
  const double share = comparison_share(), runs = least * comparison_size();
  // It may take as few runs as `needed`; `enough` always suffice.
  const double needed = runs + rates.least, enough = runs + rates.most;
  if (share <= 0) return needs + ", and `search_share` of the preset leaves nothing of the budget for it";
  if (std::isfinite(left.total_trials) && share * left.total_trials < needed)
    return fmt::format("{}, but {:.0f} runs allow {:.0f}; use --trials {:.0f} or more", needs,
                       left.total_trials, std::floor(share * left.total_trials / comparison_size()),
                       std::ceil(enough / share));
  const double seconds = expected_seconds(at) / slots;
  if (std::isfinite(left.total_seconds) && share * left.total_seconds < needed * seconds)
    return fmt::format("{}, but {:.3g} minutes allow {:.0f} at {}; use --minutes {:.0f} or more", needs,
                       left.total_seconds / 60,
                       std::floor(share * left.total_seconds / (comparison_size() * seconds)), rung(at).name,
                       std::ceil(enough * seconds / share / 60));
  return "";
}

Result<std::optional<RunRequest>> Campaign::State::decide(Phase& phase, const RemainingBudget& left) {
  if (plan.aa_test) return evolve::next_replicate_run(population, plan.seed);
  // A comparison that has begun, even in an earlier session, is completed before the search continues.
  GABBRO_TRY(compares, next_comparison_run());
  if (compares.run || compares.waits) return compares.run;
  if (phase == Phase::kSearch) {
    if (auto run = evolve::next_run(population, plan.seed, phase, highest_affordable_rung(left))) return run;
    if (!exhausted) {
      GABBRO_TRY(proposed, propose());
      if (proposed) return proposed;
    }
    // Running trials may lead to a promotion, and designs in progress may be trained.
    if (!running.empty() || awaits_agents(phase)) return std::nullopt;
    if (asked_to_stop && asked_to_stop() > 0) return std::nullopt;
    phase = Phase::kFinal;
  }
  if (auto run = evolve::next_run(population, plan.seed, Phase::kFinal)) return run;  // of a baseline
  // A run of the search in progress may change the leader. The campaign waits for it, so that the comparison
  // is begun only once.
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0 || evolve::comparison_of(population, best)) return std::nullopt;
  const double affordable =
      std::min(left.seconds * slots / expected_seconds(best.rung), left.trials) / comparison_size();
  const record::ComparisonBegun planned =
      evolve::planned(population, plan.seed, best, affordable, plan.secret);
  bool settled = false;
  if (auto run = evolve::next_rate_run(population, best, plan.seed, planned.seeds, settled)) return run;
  if (!running.empty() || !settled) return std::nullopt;
  if (const auto ok = record({planned}); !ok) return tl::unexpected(ok.error());
  return evolve::next_run(population, plan.seed, Phase::kFinal);
}

// Returns the next run of a comparison that has begun, or of its ablations. `waits` is true if runs in
// progress determine what comes next.
Result<Campaign::State::NextComparisonRun> Campaign::State::next_comparison_run() {
  const record::ComparisonBegun* begun = evolve::comparison_of(population, evolve::leader(population));
  if (!begun) return NextComparisonRun{};
  const auto next = [&] { return evolve::next_run(population, plan.seed, Phase::kFinal); };
  if (auto run = next()) return NextComparisonRun{run, false};
  if (std::any_of(running.begin(), running.end(),
                  [&](const auto& r) { return evolve::is_verdict_run(population.trial(r.first)); }))
    return NextComparisonRun{{}, true};
  if (!plan.settings.ablate || !evolve::outcome_of(population, *begun).ahead) return NextComparisonRun{};
  if (const auto ok = make_ablations(); !ok) return tl::unexpected(ok.error());
  return NextComparisonRun{next(), false};
}

// Returns the strategy that has spent the least among those that can propose a design. Runs in progress count
// at the cost of their designs.
std::optional<std::size_t> Campaign::State::next_strategy() const {
  std::optional<std::size_t> strategy;
  double least = 0;
  for (std::size_t i = 0; i < strategies.size(); ++i) {
    if (!strategies[i].second && !waiting_task(strategies[i].first)) continue;
    double spent = population.spent(strategies[i].first);
    for (const auto& [id, r] : running) {
      const evolve::Trial& t = population.trial(id);
      const record::DesignCreated& created = population.individual(t.begun.design).created;
      if (t.begun.rung == 0 && created.strategy == strategies[i].first)
        spent += created.train_flops * static_cast<double>(rung(0).tokens);
    }
    if (!strategy || spent < least) strategy = i, least = spent;
  }
  return strategy;
}

// Draws until a design passes the screen. Refused draws are recorded with their cause.
Result<std::optional<RunRequest>> Campaign::State::propose() {
  if (rung(0).designs > 0) {
    const auto count = std::count_if(
        population.individuals().begin(), population.individuals().end(),
        [](const Individual& i) { return evolve::is_candidate(i) && !evolve::is_user_design(i); });
    if (count >= rung(0).designs) return std::nullopt;
  }
  const Random random = Random(plan.seed).split("draws");
  std::vector<Event> events;
  const std::int64_t first = population.attempts() + 1;
  for (std::int64_t attempt = first; attempt < first + kDraws; ++attempt) {
    if (asked_to_stop && asked_to_stop() > 0) break;
    const auto strategy = next_strategy();
    if (!strategy) break;  // all wait for agents
    exhausted = attempt + 1 == first + kDraws;
    const evolve::AgentTask* const task = waiting_task(strategies[*strategy].first);
    evolve::Offspring offspring;
    // Refusals are recorded together with the design that follows them. A refusal of an agent's design is
    // recorded at once, since it changes which design waits.
    const auto refused = [&](const Error& e) -> Result<bool> {
      events.emplace_back(record::Refused{attempt, strategies[*strategy].first, offspring.provenance,
                                          record::cause_of(e), e.message, offspring.parent,
                                          task ? task->begun.id : 0});
      return task ? record(std::exchange(events, {})) : true;
    };
    auto made = task ? offspring_of(*task)
                     : strategies[*strategy].second->propose(
                           population, catalogue, random.split(static_cast<std::uint64_t>(attempt)));
    if (!made) {
      if (const auto ok = refused(made.error()); !ok) return tl::unexpected(ok.error());
      continue;
    }
    offspring = std::move(*made);
    auto created = screener->screen(offspring, population);
    if (!created && is(created.error(), record::Cause::kScreener)) {  // the machine is at fault
      if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
      return tl::unexpected(created.error());
    }
    if (!created) {
      if (const auto ok = refused(created.error()); !ok) return tl::unexpected(ok.error());
      continue;
    }
    created->id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    created->attempt = attempt;
    created->strategy = strategies[*strategy].first;
    created->task = task ? task->begun.id : 0;
    created->rate = evolve::inherited_rate(population, offspring.parent,
                                           random.split(static_cast<std::uint64_t>(attempt)).split("rate"));
    events.emplace_back(*created);
    if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
    return RunRequest{created->id, 0, plan.seed, record::Purpose::kRung, {}, created->rate};
  }
  if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
  return std::nullopt;
}

Result<bool> Campaign::State::make_ablations() {
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0 || ablated_leader == best.design) return true;
  for (const Individual& i : population.individuals())
    if (is_ablation(i) && i.created.parent == best.design) {
      ablated_leader = best.design;
      return true;
    }
  // The winner descends from its oldest ancestor, so parts are reverted to that one.
  const Individual* winner = &population.individual(best.design);
  const Individual* ancestor = winner;
  while (ancestor->created.parent > 0) ancestor = &population.individual(ancestor->created.parent);
  std::vector<Event> events;
  std::int64_t id = static_cast<std::int64_t>(population.individuals().size());
  const auto refused = [&](const std::string& what, const Error& e) {
    events.emplace_back(record::Refused{0,
                                        "",
                                        {.description = what},
                                        record::cause_of(e),
                                        e.message,
                                        best.design,
                                        0,
                                        record::Origin::kAblation});
  };
  const auto parts =
      screener->ablations(*winner->program, ancestor == winner ? nullptr : ancestor->program.get());
  const auto is_of_machine = [](const Error& e) { return is(e, record::Cause::kScreener); };
  if (!parts && is_of_machine(parts.error())) return tl::unexpected(parts.error());
  if (!parts) {
    ablated_leader = best.design;
    refused("", parts.error());
    return record(events);
  }
  int taken = 0;
  for (const evolve::Ablation& a : *parts) {
    if (taken++ == evolve::kMostAblations) {
      refused(
          fmt::format("{} parts", parts->size() - static_cast<std::size_t>(evolve::kMostAblations)),
          {"limit",
           fmt::format("of {} parts, only the {} largest are ablated", parts->size(), evolve::kMostAblations),
           "",
           {}});
      break;
    }
    auto created = screener->measure(a.program, plan.settings);
    if (!created && is_of_machine(created.error())) return tl::unexpected(created.error());
    if (!created) {  // for example, it cannot be made as large as the winner
      refused(a.what, created.error());
      continue;
    }
    created->id = ++id;
    created->origin = record::Origin::kAblation;
    created->provenance.description = a.what;
    created->parent = best.design;
    created->rate = evolve::compared_rate(population, best, best.design);
    events.emplace_back(*created);
  }
  ablated_leader = best.design;
  return events.empty() ? Result<bool>(true) : record(events);
}

}  // namespace gabbro::campaign
