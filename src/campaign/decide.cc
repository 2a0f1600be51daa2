// Decides what a campaign does next.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "campaign/format.h"
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
// Number of ablations, and thus of runs on each seed, for which budget is reserved: the parts of a small
// design. The actual number is known only once a design has won.
constexpr double kExpectedAblations = 6;
}  // namespace

// Returns kFinal when no more of the budget is left than the final comparison needs, and no more than its
// share of the whole.
Phase Campaign::State::phase(const RemainingBudget& left) const {
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0) return Phase::kSearch;
  if (comparison_is_over()) return Phase::kSearch;
  const double runs = comparison_runs(best);
  const double share = comparison_share();
  double open_seconds = 0;  // time until the current runs and profiles of the search are over
  for (const auto& [id, r] : running)
    if (evolve::guides_search(population.trial(id)))
      open_seconds = std::max(open_seconds, expected_seconds(population.trial(id).begun.rung));
  open_seconds += static_cast<double>(designs_to_profile().size()) * mean_profile_seconds() / slots;
  const double final_seconds = open_seconds + runs * expected_seconds(best.rung) / slots;
  const bool is_time_due = left.seconds <= std::min(final_seconds, share * left.total_seconds);
  const bool are_runs_due = left.trials <= std::min(runs, share * left.total_trials);
  return is_time_due || are_runs_due ? Phase::kFinal : Phase::kSearch;
}

// Returns the expected number of runs of the leader's comparison, with its ablations and the searches for
// learning rates.
double Campaign::State::comparison_runs(const evolve::Leader& best) const {
  const record::ComparisonBegun* begun = evolve::comparison_of(population, best);
  constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  const int seeds =
      begun ? begun->seeds : evolve::plan_comparison(population, plan.seed, best, kUnlimited).seeds;
  return seeds * (compared_designs() + (plan.settings.ablate ? kExpectedAblations : 0)) +
         learning_rate_runs(best.rung, seeds).least;
}

// Returns how many designs of agents the rest of the budget can train, those in progress included. Agents
// that begin now need the time of a task first.
std::int64_t Campaign::State::trainable_designs(const RemainingBudget& left) const {
  const evolve::Leader best = evolve::leader(population);
  const double runs = best.rung < 0 || comparison_is_over() ? 0 : comparison_runs(best);
  const RemainingBudget rest = beside_comparison(runs, best.rung, left);
  if (rest.seconds < mean_task_seconds() + expected_seconds(0)) return 0;
  constexpr double kMost = 1e9;
  return static_cast<std::int64_t>(std::clamp(rest.trials, 0.0, kMost));
}

// Returns true if the leader's comparison is complete, and if all its repeated checks and ablations have
// begun.
bool Campaign::State::comparison_is_over() const {
  const record::ComparisonBegun* begun = evolve::comparison_of(population, evolve::leader(population));
  return begun && evolve::outcome_of(population, *begun).complete &&
         !evolve::next_run(population, plan.seed, Phase::kFinal);
}

// Returns true if a run of the search, which may change the leader, is in progress.
bool Campaign::State::is_search_running() const {
  return std::any_of(running.begin(), running.end(),
                     [&](const auto& r) { return !evolve::is_by_hand(population.trial(r.first)); });
}

// Returns what of the budget remains beside a comparison of `runs` runs at a rung.
RemainingBudget Campaign::State::beside_comparison(double runs, int r, RemainingBudget left) const {
  const double share = comparison_share();
  left.seconds -= std::min(runs * expected_seconds(r) / slots, share * left.total_seconds);
  left.trials -= std::min(runs, share * left.total_trials);
  return left;
}

// Returns true if the rest of the budget holds a run by hand at a rung beside the final comparison. Before
// there is a leader, it is that of the first rung.
bool Campaign::State::may_run_by_hand(int r, const RemainingBudget& left) const {
  const evolve::Leader best = evolve::leader(population);
  double runs = 0;
  if (best.rung < 0) {
    runs = evolve::kLeastSeeds * compared_designs() + learning_rate_runs(0, evolve::kLeastSeeds).least;
  } else if (!comparison_is_over()) {
    if (evolve::comparison_of(population, best)) return false;  // it is completed first
    runs = comparison_runs(best);
  }
  const double seconds = expected_seconds(r);
  const bool is_known = seconds > 0 || !std::isfinite(left.seconds);
  const RemainingBudget rest = beside_comparison(runs, std::max(best.rung, 0), left);
  return is_known && seconds <= rest.seconds && rest.trials >= 1;
}

// Returns a run by hand that has begun and was interrupted, and that may go on; null if there is none.
const evolve::Trial* Campaign::State::next_open_run_by_hand(const RemainingBudget& left) const {
  for (const evolve::Trial& t : population.trials())
    if (!t.ended && evolve::is_by_hand(t) && !running.contains(t.begun.id) &&
        is_candidate(population.individual(t.begun.design)) && may_run_by_hand(t.begun.rung, left))
      return &t;
  return nullptr;
}

// Says which run by hand waits for a longer session; "" if none does.
std::string Campaign::State::why_not_run_by_hand(const RemainingBudget& left) const {
  if (!std::isfinite(left.seconds) && !std::isfinite(left.trials)) return "";
  for (const Individual& i : population.individuals()) {
    if (!is_candidate(i) || i.by_hand <= i.entered) continue;
    const bool has_ended = std::any_of(i.trials.begin(), i.trials.end(), [&](std::int64_t id) {
      const evolve::Trial& t = population.trial(id);
      return evolve::is_by_hand(t) && t.begun.rung == i.by_hand && (t.ended || running.contains(id));
    });
    if (!has_ended && expected_seconds(i.by_hand) > 0 && !may_run_by_hand(i.by_hand, left))
      return fmt::format(
          "the run by hand of #{} at {}, about {:.3g} minutes, waits for a session that has room for it "
          "beside the comparison",
          i.created.id, rung(i.by_hand).name, expected_seconds(i.by_hand) / 60);
  }
  return "";
}

// Returns the number of designs in a comparison: the winner and those it is compared with.
double Campaign::State::compared_designs() const {
  return static_cast<double>(evolve::compared_with(population).size() + 1);
}

// Returns how many runs the searches for learning rates still need before a comparison on `seeds` seeds at a
// rung.
evolve::RateRuns Campaign::State::learning_rate_runs(int r, int seeds) const {
  return evolve::rate_runs_left(population, r, plan.seed, seeds);
}

// Returns the share of a budget that the final comparison may take: 1 if there is no search.
double Campaign::State::comparison_share() const {
  return strategies.empty() ? 1 : 1 - plan.settings.search_share;
}

// Returns the highest rung that the rest of the budget allows, for one design, the baselines beside it, and a
// final comparison on the smallest number of seeds that can decide.
int Campaign::State::highest_affordable_rung(const RemainingBudget& left) const {
  int highest = 0;
  for (int r = 1; r < static_cast<int>(plan.settings.rungs.size()); ++r) {
    const double comparison_seconds =
        (evolve::kLeastSeeds * compared_designs() + learning_rate_runs(r, evolve::kLeastSeeds).least) *
        expected_seconds(r) / slots;
    double runs = rung(r).seeds;
    for (const Individual& i : population.individuals())
      if (is_known(i)) runs += std::max(0, rung(r).seeds - population.standing(i, r).done);
    if (comparison_seconds > comparison_share() * left.total_seconds) break;
    if (comparison_seconds + runs * expected_seconds(r) / slots > left.seconds) break;
    highest = r;
  }
  return highest;
}

// Returns why this session cannot reach a verdict; "" if it can, or if nothing is known of the duration of
// runs.
std::string Campaign::State::why_too_short(const RemainingBudget& left) const {
  if (plan.aa_test) return "";
  const int seeds = evolve::kLeastSeeds, r = std::max(0, evolve::leader(population).rung);
  const evolve::RateRuns rates = learning_rate_runs(r, seeds);
  const std::string needs = fmt::format(
      "too short to decide: a verdict needs at least {} fresh seeds of {:.0f} designs{}", seeds,
      compared_designs(),
      rates.least > 0 ? fmt::format(" and {} runs for learning rates", rates.least) : std::string());
  const double share = comparison_share(), runs = seeds * compared_designs();
  // The searches for learning rates end early or late: `needed` runs may suffice, `enough` runs always do.
  const double needed = runs + rates.least, enough = runs + rates.most;
  if (share <= 0) return needs + ", and `search_share` of the preset leaves nothing of the budget for it";
  if (std::isfinite(left.total_trials) && share * left.total_trials < needed)
    return fmt::format("{}, but of {:.0f} runs {:.0f} are left for it; use --trials {:.0f} or more", needs,
                       left.total_trials, std::floor(share * left.total_trials), std::ceil(enough / share));
  const double seconds = expected_seconds(r) / slots;
  if (std::isfinite(left.total_seconds) && share * left.total_seconds < needed * seconds)
    return fmt::format("{}, but {:.3g} minutes leave time for {} at {}; use --minutes {:.0f} or more", needs,
                       left.total_seconds / 60,
                       count_of(static_cast<std::int64_t>(share * left.total_seconds / seconds), "run"),
                       rung(r).name, std::ceil(enough * seconds / share / 60));
  return "";
}

// Returns the run that comes next. Returns nothing if none may begin now, or nothing is left to do. Changes
// `phase` to kFinal when the search is over.
Result<std::optional<RunRequest>> Campaign::State::decide(Phase& phase, const RemainingBudget& left) {
  if (plan.aa_test) return evolve::next_replicate_run(population, plan.seed);
  // A comparison that has begun, even in an earlier session, is completed before the search continues.
  GABBRO_TRY(comparison, next_comparison_run());
  if (comparison.run || comparison.waits) return comparison.run;
  if (phase == Phase::kSearch) {
    const auto by_hand = [&](int r) { return may_run_by_hand(r, left); };
    if (auto run = evolve::next_run(population, plan.seed, phase, highest_affordable_rung(left), by_hand))
      return run;
    if (!exhausted) {
      GABBRO_TRY(proposed, propose());
      if (proposed) return proposed;
    }
    // Runs in progress may lead to a promotion, and agents may deliver designs to train.
    if (is_search_running() || awaits_agents(phase)) return std::nullopt;
    if (asked_to_stop && asked_to_stop() > 0) return std::nullopt;
    phase = Phase::kFinal;
  }
  // The leader's comparison has no further run, so this is one of a known design.
  if (auto run = evolve::next_run(population, plan.seed, Phase::kFinal)) return run;
  // A run of the search in progress may change the leader. The campaign waits for it, so that the comparison
  // is begun only once.
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0 || evolve::comparison_of(population, best)) return std::nullopt;
  const double affordable_seeds =
      std::min(left.seconds * slots / expected_seconds(best.rung), left.trials) / compared_designs();
  const record::ComparisonBegun planned =
      evolve::plan_comparison(population, plan.seed, best, affordable_seeds, plan.secret);
  bool are_rates_settled = false;
  if (auto run = evolve::next_rate_run(population, best, plan.seed, planned.seeds, are_rates_settled))
    return run;
  if (is_search_running() || !are_rates_settled) return std::nullopt;
  if (const auto ok = record({planned}); !ok) return tl::unexpected(ok.error());
  return evolve::next_run(population, plan.seed, Phase::kFinal);
}

// Returns the next run of the leader's comparison, if it has begun, or of its ablations.
Result<Campaign::State::NextComparisonRun> Campaign::State::next_comparison_run() {
  const record::ComparisonBegun* begun = evolve::comparison_of(population, evolve::leader(population));
  if (!begun) return NextComparisonRun{};
  const auto next = [&] { return evolve::next_run(population, plan.seed, Phase::kFinal); };
  if (auto run = next()) return NextComparisonRun{.run = run};
  if (std::any_of(running.begin(), running.end(),
                  [&](const auto& r) { return evolve::is_verdict_run(population.trial(r.first)); }))
    return NextComparisonRun{.run = {}, .waits = true};
  if (!plan.settings.ablate || !evolve::outcome_of(population, *begun).ahead) return NextComparisonRun{};
  if (const auto ok = make_ablations(); !ok) return tl::unexpected(ok.error());
  return NextComparisonRun{.run = next()};
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

// Draws until a design passes the screen, and returns its first run. Refused draws are recorded with their
// cause. Returns nothing if the first rung is full, or no strategy can propose a design now.
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
    const auto add_refusal = [&](const Error& e) -> Result<bool> {
      events.emplace_back(record::Refused{.attempt = attempt,
                                          .strategy = strategies[*strategy].first,
                                          .provenance = offspring.provenance,
                                          .cause = record::cause_of(e),
                                          .detail = e.message,
                                          .parent = offspring.parent,
                                          .task = task ? task->begun.id : 0});
      return task ? record(std::exchange(events, {})) : true;
    };
    auto made = task ? offspring_of(*task)
                     : strategies[*strategy].second->propose(
                           population, catalogue, random.split(static_cast<std::uint64_t>(attempt)));
    if (!made) {
      if (const auto ok = add_refusal(made.error()); !ok) return tl::unexpected(ok.error());
      continue;
    }
    offspring = std::move(*made);
    auto created = screener->screen(offspring, population);
    if (!created && is(created.error(), record::Cause::kScreener)) {  // the machine is at fault
      if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
      return tl::unexpected(created.error());
    }
    if (!created) {
      if (const auto ok = add_refusal(created.error()); !ok) return tl::unexpected(ok.error());
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
    return RunRequest{.design = created->id,
                      .rung = 0,
                      .seed = plan.seed,
                      .purpose = record::Purpose::kRung,
                      .promotion = {},
                      .rate = created->rate};
  }
  if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
  return std::nullopt;
}

// Creates the ablations of the leader, at most once for each leader.
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
  const auto add_refusal = [&](const std::string& what, const Error& e) {
    events.emplace_back(record::Refused{.attempt = 0,
                                        .strategy = "",
                                        .provenance = {.description = what},
                                        .cause = record::cause_of(e),
                                        .detail = e.message,
                                        .parent = best.design,
                                        .task = 0,
                                        .origin = record::Origin::kAblation});
  };
  const auto parts =
      screener->ablations(*winner->program, ancestor == winner ? nullptr : ancestor->program.get());
  const auto blames_machine = [](const Error& e) { return is(e, record::Cause::kScreener); };
  if (!parts && blames_machine(parts.error())) return tl::unexpected(parts.error());
  if (!parts) {
    ablated_leader = best.design;
    add_refusal("", parts.error());
    return record(events);
  }
  int tried = 0;
  for (const evolve::Ablation& a : *parts) {
    if (tried++ == evolve::kMostAblations) {
      add_refusal(fmt::format("{} parts", parts->size() - static_cast<std::size_t>(evolve::kMostAblations)),
                  {.code = "limit",
                   .message = fmt::format("of {} parts, only the {} largest are ablated", parts->size(),
                                          evolve::kMostAblations),
                   .hint = "",
                   .at = {}});
      break;
    }
    auto created = screener->measure(a.program, plan.settings);
    if (!created && blames_machine(created.error())) return tl::unexpected(created.error());
    if (!created) {  // for example, it cannot be made as large as the winner
      add_refusal(a.what, created.error());
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
