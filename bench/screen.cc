// Measures how many draws per second pass through the screen of a campaign, on one core.
//
// The draws are generated beforehand: random edits of zoo designs and of each other. The list is the same for
// every build. Designs that pass are known to the screen from then on, as in a campaign. Counters are the
// shares of draws that pass, and that are refused, by cause.
#include <benchmark/benchmark.h>

#include <map>

#include "edit/vary.h"
#include "evolve/depth.h"
#include "evolve/screen.h"
#include "lang/check.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;

// The sizes, lengths, limits and baselines of presets/laptop.toml.
evolve::SearchSettings laptop() {
  evolve::SearchSettings s;
  s.rungs = {{.name = "150k", .params = 150'000, .length = 128},
             {.name = "300k", .params = 300'000, .length = 128, .depth = 1.5},
             {.name = "600k", .params = 600'000, .length = 256, .depth = 2}};
  s.baselines = {"gpt2", "llama", "mamba2", "retnet", "rwkv6", "gated_deltanet"};
  s.blocks = 2;
  s.vocab = 512;
  return s;
}

evolve::Population baselines(const evolve::SearchSettings& settings) {
  evolve::Population population(settings);
  for (const std::string& file : settings.baselines) {
    const lang::Program& program = *zoo::program(file + ".gab");
    const double factor = static_cast<double>(settings.blocks) / evolve::repetitions(program);
    auto created = evolve::measure(evolve::deepened(program, factor), settings, zoo::library());
    if (!created) continue;
    created->id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    created->origin = record::Origin::kBaseline;
    (void)population.apply(*created);
  }
  return population;
}

// Returns `count` random edits. `blocks` is the number of blocks of the zoo's designs.
std::vector<evolve::Offspring> draws(std::int64_t count, double blocks) {
  edit::UnitCatalogue catalogue(zoo::library());
  std::vector<lang::Program> programs;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    if (const lang::Program* program = zoo::program(entry.file))
      if (lang::CheckReport report =
              lang::check(evolve::deepened(*program, blocks / evolve::repetitions(*program)), zoo::library());
          report.valid() && report.subjects.size() == 1 && report.subjects[0].is_design)
        programs.push_back(std::move(report.program));
  std::vector<evolve::Offspring> out;
  for (std::uint64_t i = 0; static_cast<std::int64_t>(out.size()) < count; ++i) {
    Random random = Random(7).split(i);
    const lang::Program &parent = random.pick(programs), &second_parent = random.pick(programs);
    const edit::Operator op = random.pick(edit::all_operators());
    auto child = edit::vary_checked(op, parent, &second_parent, catalogue, random);
    if (!child) continue;
    if (random.below(3) != 0) programs.push_back(child->program);  // Two in three are edited further.
    evolve::Offspring offspring;
    offspring.program = std::move(child->program);
    offspring.subject = std::move(child->subject);
    out.push_back(std::move(offspring));
  }
  return out;
}

void screen_draws(benchmark::State& state) {
  const evolve::SearchSettings settings = laptop();
  const auto offspring = draws(state.range(0), static_cast<double>(settings.blocks));
  const evolve::Population initial = baselines(settings);
  std::map<std::string, double> outcomes;
  for (auto _ : state) {
    evolve::Population population = initial;
    outcomes.clear();
    for (const evolve::Offspring& o : offspring) {
      auto created = evolve::screen(o, population, zoo::library());
      ++outcomes[created ? "passes" : created.error().code];
      if (!created) continue;
      created->id = static_cast<std::int64_t>(population.individuals().size()) + 1;
      (void)population.apply(*created);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(offspring.size()));
  for (const auto& [outcome, count] : outcomes)
    state.counters[outcome] = count / static_cast<double>(offspring.size());
}

BENCHMARK(screen_draws)->ArgName("draws")->Arg(300)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
