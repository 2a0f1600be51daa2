#include "evolve/strategy.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "edit/generate.h"
#include "evolve/adaptive.h"

namespace gabbro::evolve {

namespace {

class RandomSearch : public Strategy {
 public:
  Result<Offspring> propose(const Population&, edit::UnitCatalogue& catalogue, Random random) const override {
    return fresh_offspring(catalogue, random);
  }
};

class Tournament : public Strategy {
 public:
  Result<Offspring> propose(const Population& population, edit::UnitCatalogue& catalogue,
                            Random random) const override {
    constexpr std::size_t kAge = 50;  // number of the latest candidates that may be parents
    std::vector<ParentCandidate> all = parent_candidates(population, "tournament");
    if (all.empty()) return fresh_offspring(catalogue, random);
    if (all.size() > kAge) all.erase(all.begin(), all.end() - kAge);
    const Individual &parent = best_of(all, random), &second_parent = best_of(all, random);
    return breed(random.pick(edit::all_operators()), parent, &second_parent, catalogue, random);
  }

 private:
  static const Individual& best_of(const std::vector<ParentCandidate>& all, Random& random) {
    constexpr int kSize = 10;
    const ParentCandidate* best = &random.pick(all);
    for (int i = 1; i < kSize; ++i)
      if (const ParentCandidate& k = random.pick(all); k.excess_bits < best->excess_bits) best = &k;
    return *best->design;
  }
};

std::unique_ptr<Strategy> make_adaptive_for(std::string_view name) {
  return make_adaptive(std::string(name));
}

struct StrategyRow {
  std::string_view name;
  std::unique_ptr<Strategy> (*make)(std::string_view name);  // null: it proposes nothing by itself
  bool asks_agents = false;
};

constexpr StrategyRow kStrategies[] = {
    {"adaptive", make_adaptive_for},
    {"tournament",
     [](std::string_view) -> std::unique_ptr<Strategy> { return std::make_unique<Tournament>(); }},
    {"random",
     [](std::string_view) -> std::unique_ptr<Strategy> { return std::make_unique<RandomSearch>(); }},
    {"agents", make_adaptive_for, true},
    {kDirect, nullptr, true},
};

const StrategyRow* find_strategy(std::string_view name) {
  const auto* at = std::find_if(std::begin(kStrategies), std::end(kStrategies),
                                [&](const StrategyRow& row) { return row.name == name; });
  return at == std::end(kStrategies) ? nullptr : at;
}

}  // namespace

std::vector<std::string_view> strategy_names() {
  std::vector<std::string_view> out;
  for (const StrategyRow& row : kStrategies) out.push_back(row.name);
  return out;
}

bool asks_agents(std::string_view name) {
  const StrategyRow* row = find_strategy(name);
  return row && row->asks_agents;
}

std::unique_ptr<Strategy> make_strategy(std::string_view name) {
  const StrategyRow* row = find_strategy(name);
  return row && row->make ? row->make(row->name) : nullptr;
}

std::vector<ParentCandidate> parent_candidates(const Population& population, std::string_view strategy) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::map<int, double> by_rung;
  const auto baseline_bits = [&](int rung) {
    const auto at = by_rung.find(rung);
    if (at != by_rung.end()) return at->second;
    const std::int64_t best = population.best_baseline(rung);
    return by_rung[rung] = best == 0 ? 0 : population.standing(population.individual(best), rung).bits;
  };
  std::vector<ParentCandidate> out;
  for (const Individual& i : population.individuals()) {
    if (i.vetoed || (i.created.strategy != strategy && !is_baseline(i) && !is_user_design(i))) continue;
    for (int rung = i.entered; rung >= 0; --rung) {
      const Standing s = population.standing(i, rung);
      if (s.done == 0 && s.unscored == 0) continue;
      out.push_back({&i, s.unscored > 0 ? kInfinity : s.bits - baseline_bits(rung), rung});
      break;
    }
  }
  return out;
}

Offspring fresh_offspring(edit::UnitCatalogue& catalogue, Random& random) {
  return {.program = edit::random_program(
              random, catalogue, {.unit_size = 10, .most_layers = 8, .most_new_units = 2, .new_unit = 0.3})};
}

Result<Offspring> breed(record::Operator op, const Individual& parent, const Individual* second_parent,
                        edit::UnitCatalogue& catalogue, Random& random) {
  const bool crosses =
      op == record::Operator::kCrossover && second_parent && second_parent->created.id != parent.created.id;
  GABBRO_TRY(child, edit::vary_checked(op, *parent.program, crosses ? second_parent->program.get() : nullptr,
                                       catalogue, random));
  return Offspring{.program = std::move(child.program),
                   .subject = std::move(child.subject),
                   .provenance = {.op = op},
                   .parent = parent.created.id,
                   .second_parent = crosses ? second_parent->created.id : 0};
}

}  // namespace gabbro::evolve
