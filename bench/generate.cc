// Measures how many designs per second the generator writes, and how many random edits per second are applied
// and checked, on one core.
#include <benchmark/benchmark.h>

#include <set>

#include "edit/generate.h"
#include "edit/vary.h"
#include "evolve/depth.h"
#include "lang/check.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;

// Offspring that the population of `breed` holds beside the zoo; further ones replace random ones.
constexpr std::int64_t kMostOffspring = 200;

edit::UnitCatalogue& catalogue() {
  static edit::UnitCatalogue shared(zoo::library());
  return shared;
}

void generate_designs(benchmark::State& state) {
  Random unmeasured(0);
  edit::random_program(unmeasured, catalogue());  // The first use measures the catalogue's units.
  std::uint64_t i = 0;
  for (auto _ : state) {
    Random random = Random(1).split(i++);
    benchmark::DoNotOptimize(edit::random_program(random, catalogue()));
  }
  state.SetItemsProcessed(state.iterations());
}

void measure_unit_catalogue(benchmark::State& state) {
  for (auto _ : state) {
    edit::UnitCatalogue fresh(zoo::library());
    benchmark::DoNotOptimize(fresh.fitting({}).size());
  }
}

void vary_designs(benchmark::State& state) {
  std::uint64_t i = 0;
  for (auto _ : state) {
    Random random = Random(2).split(i);
    const lang::Program parent = edit::random_program(random, catalogue(), {.most_layers = 8});
    const auto operators = edit::all_operators();
    benchmark::DoNotOptimize(
        edit::vary(operators[i++ % operators.size()], parent, nullptr, catalogue(), random));
  }
  state.SetItemsProcessed(state.iterations());
}

// Does what a campaign does between trainings: draws parents from a population that begins with the zoo and
// receives its offspring, uses every operator, computes structural hashes, and skips designs that were seen
// before. The argument is the number of blocks of the zoo's designs, as a preset sets it; 0 keeps the number
// in their programs (8 to 24). Items are new designs; `tries` counts the draws for each.
void breed(benchmark::State& state) {
  const auto blocks = static_cast<double>(state.range(0));
  std::vector<lang::Program> population;
  std::set<Hash128> seen;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    if (const lang::Program* program = zoo::program(entry.file))
      if (lang::CheckReport report =
              lang::check(evolve::deepened(*program, blocks > 0 ? blocks / evolve::repetitions(*program) : 1),
                          zoo::library());
          report.valid() && report.subjects.size() == 1 && report.subjects[0].is_design) {
        seen.insert(report.subjects[0].hash);
        population.push_back(std::move(report.program));
      }
  const std::size_t zoo_designs = population.size();
  std::int64_t tries = 0, unique = 0;
  for (auto _ : state) {
    for (bool is_new = false; !is_new;) {
      Random random = Random(3).split(static_cast<std::uint64_t>(tries++));
      const lang::Program& parent = random.pick(population);
      const lang::Program& second_parent = random.pick(population);
      auto child =
          edit::vary_checked(random.pick(edit::all_operators()), parent, &second_parent, catalogue(), random);
      is_new = child && seen.insert(child->subject.hash).second;
      if (!is_new) continue;
      ++unique;
      if (population.size() < zoo_designs + static_cast<std::size_t>(kMostOffspring))
        population.push_back(std::move(child->program));
      else
        population[zoo_designs + static_cast<std::size_t>(random.below(kMostOffspring))] =
            std::move(child->program);
    }
  }
  state.SetItemsProcessed(unique);
  state.counters["tries"] = static_cast<double>(tries) / static_cast<double>(unique);
}

BENCHMARK(breed)->ArgName("blocks")->Arg(2)->Arg(0);
BENCHMARK(generate_designs);
BENCHMARK(measure_unit_catalogue)->Unit(benchmark::kMillisecond);
BENCHMARK(vary_designs);

}  // namespace
