// Writes the briefs that agents are given.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "agents/weights.h"
#include "campaign/agents.h"
#include "campaign/lessons.h"
#include "evolve/adaptive.h"
#include "evolve/outcome.h"
#include "evolve/reviewers.h"
#include "evolve/strategy.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;
using record::Mode;
using record::Writing;

namespace {

constexpr std::size_t kBestShown = 3;  // designs that a task from scratch is shown

// Returns the share of offspring that beat their parent, shrunk towards one in three while there are few.
double success_rate(const evolve::Credit& c) { return (1.0 + c.better) / (3.0 + c.offspring); }

double success_rate(const std::map<Mode, evolve::Credit>& credits, Mode mode) {
  const auto found = credits.find(mode);
  return success_rate(found == credits.end() ? evolve::Credit{} : found->second);
}

Mode draw_mode(const Population& p, const std::string& strategy, const agents::Modes& modes, Random& random) {
  const auto credits = evolve::credit(p, strategy).modes;
  // A design from scratch has no parent to beat, so the weight of that mode is constant. The other modes have
  // their initial weight while nothing is known of their success.
  const double unknown = success_rate(evolve::Credit{});
  const agents::Modes weights{
      .mutation = modes.mutation * success_rate(credits, Mode::kMutation) / unknown,
      .crossover = modes.crossover * success_rate(credits, Mode::kCrossover) / unknown,
      .scratch = modes.scratch};
  return agents::draw_mode(weights, /*parents=*/2, random);
}

// Draws a way of writing by its success per cost. Its success is drawn from the Beta distribution of the
// share of its ended tasks whose design was better than its parent; its cost is the mean of its tasks, in
// money or, where nothing costs money, in tokens. A way without tasks is taken first.
Writing draw_writing(const Population& p, const std::string& strategy, Random& random) {
  struct Record {
    int tasks = 0, better = 0;
    double money = 0, tokens = 0;
  };
  std::map<Writing, Record> records{{Writing::kUnits, {}}, {Writing::kProgram, {}}};
  double money = 0;
  for (const evolve::AgentTask& t : p.tasks()) {
    const auto record = records.find(t.report.writing);
    if (!t.ended || t.begun.strategy != strategy || record == records.end()) continue;
    const auto outcome =
        t.design != 0 ? evolve::outcome_of(p, p.individual(t.design)) : std::optional<evolve::Outcome>();
    if (t.design != 0 && !outcome) continue;  // its design has not been trained yet
    Record& r = record->second;
    ++r.tasks, r.better += outcome && outcome->better ? 1 : 0;
    r.money += t.report.cost, money += t.report.cost;
    r.tokens += static_cast<double>(t.report.input_tokens + t.report.output_tokens);
  }
  Writing best = Writing::kUnits;
  double most = -1;
  for (const auto& [writing, r] : records) {
    if (r.tasks == 0) return writing;
    const double cost = std::max(money > 0 ? r.money : r.tokens, 1e-9) / r.tasks;
    if (const double x = evolve::draw_beta(1 + r.better, 1 + r.tasks - r.better, random) / cost; x > most)
      most = x, best = writing;
  }
  return best;
}

agents::Parent parent_of(const Population& p, const Individual& i) {
  return {.id = i.created.id,
          .name = i.created.name,
          .program = i.created.program,
          .evidence = evidence_lines(p, i),
          .history = history_lines(p, i)};
}

// Returns the designs that are parents of tasks in progress.
std::set<std::int64_t> busy_parents(const Population& p) {
  std::set<std::int64_t> out;
  for (const evolve::AgentTask& t : p.tasks())
    if (!t.ended || t.awaits_screening()) out.insert({t.begun.parent, t.begun.second_parent});
  return out;
}

// Draws up to two parents by rank, best first, each drawn `kNext` times as often as the one before it. A
// model costs more than an operator, so that no design without a score is drawn, nor one that another task
// works on, while there are others. The list is empty if no design has a score yet.
std::vector<const Individual*> draw_parents(const Population& p, const std::string& strategy,
                                            Random& random) {
  constexpr double kNext = 0.8;
  std::vector<evolve::ParentCandidate> ranked = evolve::parent_candidates(p, strategy);
  std::erase_if(ranked, [](const auto& c) { return !std::isfinite(c.excess_bits); });
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.excess_bits < b.excess_bits; });
  const auto is_free = [busy = busy_parents(p)](const auto& c) {
    return !busy.contains(c.design->created.id);
  };
  if (std::any_of(ranked.begin(), ranked.end(), is_free)) std::erase_if(ranked, std::not_fn(is_free));
  std::vector<const Individual*> out;
  while (out.size() < 2 && !ranked.empty()) {
    std::size_t rank = 0;
    while (rank + 1 < ranked.size() && !random.chance(1 - kNext)) ++rank;
    out.push_back(ranked[rank].design);
    ranked.erase(ranked.begin() + static_cast<std::ptrdiff_t>(rank));
  }
  return out;
}

// Returns the names of the units that the designs define.
std::set<std::string> units_in(const std::vector<const Individual*>& designs) {
  std::set<std::string> out;
  for (const Individual* design : designs)
    for (const lang::Item& item : design->program->items)
      if (std::holds_alternative<lang::Unit>(item.value)) out.insert(lang::item_name(item));
  return out;
}

}  // namespace

record::TaskBegun next_task(const Population& p, const std::string& strategy, const Agents& agents,
                            std::uint64_t seed, std::int64_t id) {
  Random random = Random(seed).split("tasks").split(static_cast<std::uint64_t>(id));
  agents::Brief brief;
  brief.task = id;
  brief.mode = draw_mode(p, strategy, agents.modes, random);
  brief.writing = strategy == evolve::kDirect ? Writing::kDirect
                  : agents.writing            ? *agents.writing
                                              : draw_writing(p, strategy, random);
  std::vector<const Individual*> parents = draw_parents(p, strategy, random);
  if (parents.empty())  // no design has a score: take a random baseline
    parents.push_back(
        &p.individual(1 + random.below(static_cast<std::int64_t>(p.settings().baselines.size()))));
  if (brief.mode == Mode::kCrossover && parents.size() < 2) brief.mode = Mode::kMutation;
  parents.resize(std::min(parents.size(), record::parents_of(brief.mode)));
  for (const Individual* i : parents) brief.parents.push_back(parent_of(p, *i));
  if (brief.mode == Mode::kScratch)
    for (const Individual* i : best_designs(p, kBestShown)) brief.best.push_back(parent_of(p, *i));
  const Individual* parent = parents.empty() ? nullptr : parents[0];
  const Individual* second_parent = parents.size() > 1 ? parents[1] : nullptr;
  brief.ladder = ladder_lines(p);
  brief.credit = unit_worth_lines(p, units_in(parents));
  brief.neighbours = neighbour_lines(p, parent);
  brief.failures = failure_lines(p);
  brief.forecasts = forecast_lines(p);
  brief.directions = p.directions();
  brief.reviewer_weights = weights_of_reviewers(p);
  return {.id = id,
          .strategy = strategy,
          .mode = brief.mode,
          .parent = parent ? parent->created.id : 0,
          .second_parent = second_parent ? second_parent->created.id : 0,
          .brief = agents::to_json(brief)};
}

Result<agents::Brief> brief_of(const Population& p, const evolve::AgentTask& task,
                               std::shared_ptr<Screener> screener) {
  GABBRO_TRY(brief, agents::parse_brief(task.begun.brief));
  for (std::int64_t k = 0; k < task.ended_before; ++k) {
    const evolve::AgentTask& earlier =
        p.tasks()[static_cast<std::size_t>(p.ended_tasks()[static_cast<std::size_t>(k)] - 1)];
    if (earlier.report.outcome != record::TaskOutcome::kDesign) continue;
    // A mechanism that helped one parent may be tried at another.
    const auto outcome = earlier.design != 0 ? evolve::outcome_of(p, p.individual(earlier.design))
                                             : std::optional<evolve::Outcome>();
    if (outcome && outcome->better && earlier.begun.parent != task.begun.parent) continue;
    brief.proposals.push_back(earlier.report.proposal);
  }
  const auto designs = std::make_shared<const Population>(p.designs());
  brief.admit = [designs, screener = std::move(screener)](const lang::Program& program) -> Result<bool> {
    evolve::Offspring offspring;
    offspring.program = program;
    const auto created = screener->screen(offspring, *designs);
    if (!created) return tl::unexpected(created.error());
    return true;
  };
  return brief;
}

std::map<std::string, double> weights_of_reviewers(const Population& p) {
  std::vector<agents::ScoredPrediction> scored;
  for (const evolve::Prediction& f : evolve::predictions(p))
    scored.push_back({.model = f.model, .probability = f.probability, .beat = f.beat});
  return agents::reviewer_weights(scored);
}

int wanted_tasks(const Population& p, const std::string& strategy, int places) {
  const auto rate = [](const auto& credits) {
    evolve::Credit sum;
    for (const auto& [key, c] : credits) sum.offspring += c.offspring, sum.better += c.better;
    return success_rate(sum);
  };
  const evolve::Credits credits = evolve::credit(p, strategy);
  return std::clamp(static_cast<int>(std::lround(places * rate(credits.modes) / rate(credits.operators))), 1,
                    places);
}

}  // namespace gabbro::campaign
