// What a campaign does next.
#include <algorithm>
#include <utility>

#include "campaign/state.h"
#include "evolve/ablate.h"
#include "evolve/twins.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Phase;
using evolve::Wanted;
using record::Event;

namespace {
constexpr int kDraws = 2000;  // in a row without a design: the search has nothing new
}

// The last comparison is begun when what is left is just enough for it, and never takes more than 1 - search_share of a budget.
Phase Campaign::State::phase(const Left& left) const {
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0) return Phase::kSearch;
  // A comparison that is complete needs nothing more.
  if (is_compared() && !evolve::next_run(population, plan.seed, Phase::kFinal)) return Phase::kSearch;
  const double runs = plan.settings.final_seeds * static_cast<double>(plan.settings.baselines.size() + 1);
  const double most = 1 - plan.settings.search_share;
  const bool time =
      left.seconds <= std::min(runs * expected_seconds(best.rung) / slots, most * left.all_seconds);
  const bool trials = left.trials <= std::min(runs, most * left.all_trials);
  return time || trials ? Phase::kFinal : Phase::kSearch;
}

// The highest rung at which there is time for a design, the baselines that it is held against, and two seeds of the last comparison.
int Campaign::State::highest_rung(const Left& left) const {
  int top = 0;
  for (int r = 1; r < static_cast<int>(plan.settings.rungs.size()); ++r) {
    double runs = 2 * static_cast<double>(plan.settings.baselines.size() + 1) + rung(r).seeds;
    for (const Individual& i : population.individuals())
      if (is_baseline(i)) runs += std::max(0, rung(r).seeds - population.standing(i, r).done);
    if (runs * expected_seconds(r) / slots > left.seconds) break;
    top = r;
  }
  return top;
}

Result<std::optional<Wanted>> Campaign::State::decide(Phase& phase, const Left& left) {
  if (plan.twins) return evolve::next_twin_run(population, plan.seed);
  if (phase == Phase::kSearch) {
    // A comparison that an earlier session began is brought to its end before anything new is looked for.
    if (is_compared())
      if (auto run = evolve::next_run(population, plan.seed, Phase::kFinal)) return run;
    if (auto run = evolve::next_run(population, plan.seed, phase, highest_rung(left))) return run;
    if (!exhausted) {
      GABBRO_TRY(proposed, propose());
      if (proposed) return proposed;
    }
    // What runs may promote somebody, what is in the making may be trained.
    if (!running.empty() || awaits_agents(phase)) return std::nullopt;
    phase = Phase::kFinal;
  }
  if (plan.settings.ablate)
    if (const auto ok = make_ablations(); !ok) return tl::unexpected(ok.error());
  return evolve::next_run(population, plan.seed, Phase::kFinal);
}

// Whether the last comparison of the present leader at its rung was begun.
bool Campaign::State::is_compared() const {
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0) return false;
  const std::vector<std::int64_t>& runs = population.individual(best.design).trials;
  return std::any_of(runs.begin(), runs.end(), [&](std::int64_t id) {
    const record::TrialBegun& begun = population.trial(id).begun;
    return begun.purpose == "final" && begun.rung == best.rung;
  });
}

// The arm that has spent the least, runs under way counted as if they cost what its designs do; of those that have something to propose.
std::optional<std::size_t> Campaign::State::next_arm() const {
  std::optional<std::size_t> arm;
  double least = 0;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    if (!arms[i].second && !waiting(arms[i].first)) continue;
    double spent = population.spent(arms[i].first);
    for (const auto& [id, r] : running) {
      const evolve::Trial& t = population.trial(id);
      const record::DesignBorn& born = population.individual(t.begun.design).born;
      if (t.begun.rung == 0 && born.arm == arms[i].first)
        spent += born.train_flops * static_cast<double>(rung(0).tokens);
    }
    if (!arm || spent < least) arm = i, least = spent;
  }
  return arm;
}

// Draws until a design passes the screen; what did not is recorded with its cause.
Result<std::optional<Wanted>> Campaign::State::propose() {
  if (rung(0).designs > 0) {
    const auto count =
        std::count_if(population.individuals().begin(), population.individuals().end(),
                      [](const Individual& i) { return evolve::is_candidate(i) && !evolve::is_given(i); });
    if (count >= rung(0).designs) return std::nullopt;
  }
  const Random random = Random(plan.seed).split("draws");
  std::vector<Event> events;
  const std::int64_t first = population.attempts() + 1;
  for (std::int64_t attempt = first; attempt < first + kDraws; ++attempt) {
    const auto arm = next_arm();
    if (!arm) break;  // all wait for agents
    exhausted = attempt + 1 == first + kDraws;
    const evolve::Task* const task = waiting(arms[*arm].first);
    evolve::Offspring offspring;
    // Refusals are written with the design that ends them; at once where they change whose design waits.
    const auto refused = [&](const Error& e) -> Result<bool> {
      events.emplace_back(record::Refused{attempt, arms[*arm].first, offspring.op, e.code, e.message,
                                          offspring.parent, task ? task->begun.id : 0});
      return task ? record(std::exchange(events, {})) : true;
    };
    auto made = task ? offspring_of(*task)
                     : arms[*arm].second->propose(population, book,
                                                  random.split(static_cast<std::uint64_t>(attempt)));
    if (!made) {
      if (const auto ok = refused(made.error()); !ok) return tl::unexpected(ok.error());
      continue;
    }
    offspring = std::move(*made);
    auto born = judge->screen(offspring, population);
    if (!born) {
      if (const auto ok = refused(born.error()); !ok) return tl::unexpected(ok.error());
      continue;
    }
    born->id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    born->attempt = attempt;
    born->arm = arms[*arm].first;
    born->task = task ? task->begun.id : 0;
    events.emplace_back(*born);
    if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
    return Wanted{born->id, 0, plan.seed, "rung", {}};
  }
  if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
  return std::nullopt;
}

Result<bool> Campaign::State::make_ablations() {
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0 || std::exchange(taken_apart, best.design) == best.design) return true;
  for (const Individual& i : population.individuals())
    if (i.born.arm == "ablation" && i.born.parent == best.design) return true;
  // The oldest ancestor is what the winner grew from.
  const Individual* winner = &population.individual(best.design);
  const Individual* ancestor = winner;
  while (ancestor->born.parent > 0) ancestor = &population.individual(ancestor->born.parent);
  std::vector<Event> events;
  std::int64_t id = static_cast<std::int64_t>(population.individuals().size());
  const auto refused = [&](const std::string& what, const Error& e) {
    events.emplace_back(record::Refused{0, "ablation", what, e.code, e.message, best.design, 0});
  };
  const auto parts =
      judge->ablations(*winner->program, ancestor == winner ? nullptr : ancestor->program.get());
  if (!parts) {
    refused("", parts.error());
    return record(events);
  }
  for (const evolve::Ablation& a : *parts) {
    auto born = judge->measure(a.program, plan.settings);
    if (!born) {  // it cannot be made as large as the winner, say
      refused(a.what, born.error());
      continue;
    }
    born->id = ++id;
    born->arm = "ablation";
    born->op = a.what;
    born->parent = best.design;
    events.emplace_back(*born);
  }
  return events.empty() ? Result<bool>(true) : record(events);
}

}  // namespace gabbro::campaign
