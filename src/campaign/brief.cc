// Writes the briefs that agents are given.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "agents/weights.h"
#include "campaign/agents.h"
#include "campaign/format.h"
#include "edit/edit.h"
#include "evolve/adaptive.h"
#include "evolve/ladder.h"
#include "evolve/reviewers.h"
#include "lang/printer.h"
#include "zoo/library.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;
using evolve::Standing;
using record::Cause;
using record::Mode;

namespace {

constexpr std::size_t kRecentDesigns = 300;  // number of the latest designs that are considered
constexpr std::size_t kMaxLines = 6;         // maximum number of lines of each kind of evidence

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

// Formats the mean difference from the best baseline at a rung; "" if there is none.
std::string difference_from_baseline(const Population& p, const Individual& i, int rung) {
  const std::int64_t baseline = p.best_baseline(rung);
  if (baseline == 0 || baseline == i.created.id) return "";
  const std::vector<double> d = p.differences(i.created.id, baseline, rung, evolve::RunKind::kSearch);
  if (d.empty()) return "";
  double mean = 0;
  for (const double x : d) mean += x / static_cast<double>(d.size());
  return fmt::format(", {:+.4f} against the best baseline, {}", mean, p.individual(baseline).created.name);
}

std::vector<std::string> evidence(const Population& p, const Individual& i) {
  std::vector<std::string> out;
  const auto& rungs = p.settings().rungs;
  for (int r = 0; r < static_cast<int>(rungs.size()); ++r) {
    const Standing s = p.standing(i, r);
    const std::string where =
        fmt::format("{} parameters, {} tokens", rungs[static_cast<std::size_t>(r)].name,
                    amount(static_cast<double>(rungs[static_cast<std::size_t>(r)].tokens)));
    if (s.done > 0)
      out.push_back(fmt::format("{}: {:.4f} bits per byte on {}{}", where, s.bits, count_of(s.done, "seed"),
                                difference_from_baseline(p, i, r)));
    for (const std::int64_t id : i.trials) {
      const evolve::Trial& t = p.trial(id);
      if (t.begun.rung != r || !t.ended || t.status == record::Status::kDone || evolve::is_verdict_run(t))
        continue;
      out.push_back(t.status == record::Status::kHurdle
                        ? where + ": stopped early, its loss was among the worst"
                        : fmt::format("{}: {}: {}", where, t.status, one_line(t.cause, 160)));
    }
  }
  if (!i.trials.empty())
    if (const auto& curve = p.trial(i.trials.front()).curve; !curve.empty()) {
      std::string line = "training loss at every eighth of the first run:";
      for (const double loss : curve) line += fmt::format(" {:.3f}", loss);
      out.push_back(line);
    }
  out.push_back(
      fmt::format("costs: {} FLOPs a token in training, {} in decoding, {} bytes of state; it mixes by {}",
                  amount(i.created.train_flops), amount(i.created.decode_flops),
                  amount(i.created.state_bytes), i.created.species));
  for (const Individual& a : p.individuals()) {
    if (!is_ablation(a) || a.created.parent != i.created.id) continue;
    const std::vector<double> d =
        p.differences(a.created.id, i.created.id, evolve::leader(p).rung, evolve::RunKind::kVerdict);
    if (!d.empty())
      out.push_back(fmt::format("{}: {:+.4f} bits per byte on {}", a.created.provenance.description,
                                evolve::mean_interval(d).mean,
                                count_of(static_cast<std::int64_t>(d.size()), "seed")));
  }
  return out;
}

agents::Parent parent_of(const Population& p, const Individual& i) {
  return {
      .id = i.created.id, .name = i.created.name, .program = i.created.program, .evidence = evidence(p, i)};
}

// Ranks units by the mean score at the first rung of designs with them, minus that of designs without them.
// Each group must have at least three designs.
std::vector<std::string> unit_credit(const Population& p) {
  struct Sum {
    double bits = 0;
    int count = 0;
  };
  std::map<std::string, Sum> with;  // by unit
  Sum all;
  const auto& designs = p.individuals();
  for (std::size_t k = designs.size() > kRecentDesigns ? designs.size() - kRecentDesigns : 0;
       k < designs.size(); ++k) {
    const Standing s = p.standing(designs[k], 0);
    if (s.done == 0 || s.unscored > 0 || !std::isfinite(s.bits) || designs[k].vetoed) continue;
    all.bits += s.bits, ++all.count;
    std::vector<std::string> names;
    for (const edit::TreePlace& place : edit::places(*designs[k].program, zoo::library()))
      if (place.instance.kind == lang::Expr::Kind::kName || place.instance.kind == lang::Expr::Kind::kCall)
        names.push_back(place.instance.text);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const std::string& name : names) with[name].bits += s.bits, ++with[name].count;
  }
  std::vector<std::pair<double, std::string>> found;
  for (const auto& [name, sum] : with) {
    const int without = all.count - sum.count;
    if (sum.count < 3 || without < 3) continue;
    const double gain = sum.bits / sum.count - (all.bits - sum.bits) / without;
    found.emplace_back(gain, fmt::format("{}: {:+.4f} bits per byte in {} with it against {} without", name,
                                         gain, count_of(sum.count, "design"), without));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return std::abs(a.first) > std::abs(b.first); });
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(kMaxLines, found.size()); ++i) out.push_back(found[i].second);
  return out;
}

std::string stack_of(const Individual& i) {
  const auto design = edit::design_of(*i.program);
  return design ? lang::print((*design)->stack) : "";
}

// Returns the designs most similar to the parent; the best ones if there is no parent.
std::vector<std::string> neighbours(const Population& p, const Individual* parent) {
  std::vector<std::pair<double, const Individual*>> near;  // with the distance or the score to sort by
  constexpr double kNoScore = 100;                         // greater than any score
  const auto& all = p.individuals();
  for (std::size_t k = all.size() > kRecentDesigns ? all.size() - kRecentDesigns : 0; k < all.size(); ++k) {
    const Individual& i = all[k];
    if (&i == parent || !i.program || (!evolve::is_candidate(i) && !evolve::is_known(i))) continue;
    const Standing s = p.standing(i, 0);
    const double bits = s.done > 0 && s.unscored == 0 ? s.bits : kNoScore;
    near.emplace_back(parent ? evolve::distance(parent->shape, i.shape) : bits, &i);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (std::size_t k = 0; k < std::min(kMaxLines, near.size()); ++k) {
    const Individual& i = *near[k].second;
    const Standing s = p.standing(i, 0);
    out.push_back(fmt::format("{}: {}{}", label_of(i), one_line(stack_of(i), 160),
                              s.done > 0 && s.unscored == 0 ? fmt::format(" ({:.4f} bits per byte)", s.bits)
                              : s.unscored > 0              ? " (lost)"
                                                            : ""));
  }
  return out;
}

std::vector<std::string> failures(const Population& p) {
  std::vector<std::pair<std::int64_t, std::string>> found;
  const auto add = [&](const std::string& what, const evolve::Failures& f) {
    found.emplace_back(
        f.count, fmt::format("{}: {}; the last: {}", what, count_of(f.count, "time"), one_line(f.last, 160)));
  };
  for (const auto& [cause, f] : p.failures().draws) {
    // Edit operators guess, so these causes say nothing to agents.
    if (cause == Cause::kDuplicate || cause == Cause::kEdit) continue;
    add(fmt::format("{}", cause), f);
  }
  for (const auto& [cause, f] : p.failures().tasks) add(fmt::format("agents: {}", cause), f);
  for (const auto& [status, f] : p.failures().runs) add(fmt::format("run {}", status), f);
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(kMaxLines, found.size()); ++i) out.push_back(found[i].second);
  return out;
}

}  // namespace

record::TaskBegun next_task(const Population& p, const std::string& strategy, const agents::Modes& modes,
                            std::uint64_t seed, std::int64_t id) {
  Random random = Random(seed).split("tasks").split(static_cast<std::uint64_t>(id));
  agents::Brief brief;
  brief.task = id;
  brief.seed = random.next();
  brief.mode = draw_mode(p, strategy, modes, random);
  const Individual* parent = evolve::choose_parent(p, strategy, random);
  const Individual* second_parent = parent ? evolve::choose_parent(p, strategy, random) : nullptr;
  if (!parent)  // no design has an outcome yet: take a random baseline
    parent = &p.individual(1 + random.below(static_cast<std::int64_t>(p.settings().baselines.size())));
  if (brief.mode == Mode::kScratch) parent = nullptr;
  if (brief.mode == Mode::kCrossover && (!second_parent || second_parent == parent))
    brief.mode = Mode::kMutation;
  if (brief.mode != Mode::kCrossover) second_parent = nullptr;
  for (const Individual* i : {parent, second_parent})
    if (i) brief.parents.push_back(parent_of(p, *i));
  brief.credit = unit_credit(p);
  brief.neighbours = neighbours(p, parent);
  brief.failures = failures(p);
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
    if (earlier.report.outcome == record::TaskOutcome::kDesign)
      brief.proposals.push_back(earlier.report.title + "\n" + earlier.report.proposal);
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
