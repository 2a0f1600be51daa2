// Writes the briefs that agents are given.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "agents/weights.h"
#include "campaign/agents.h"
#include "campaign/lessons.h"
#include "campaign/task_draws.h"
#include "evolve/adaptive.h"
#include "evolve/outcome.h"
#include "evolve/reviewers.h"
#include "evolve/strategy.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;
using record::Mode;

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

agents::Parent parent_of(const Population& p, const Individual& i) {
  return {.id = i.created.id,
          .name = name_in_prompts(p, i),
          .program = i.created.program,
          .evidence = evidence_lines(p, i),
          .history = history_lines(p, i)};
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
  brief.writing = strategy == evolve::kDirect ? record::Writing::kDirect
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
