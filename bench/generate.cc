// How many designs a second the generator writes, and how many random edits a second are applied and checked; one core.
#include <benchmark/benchmark.h>

#include "edit/generate.h"
#include "edit/vary.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;

edit::CodeBook& book() {
  static edit::CodeBook shared(zoo::library());
  return shared;
}

void generate_designs(benchmark::State& state) {
  Random warm(0);
  edit::random_program(warm, book());  // measures the code book
  std::uint64_t i = 0;
  for (auto _ : state) {
    Random random = Random(1).split(i++);
    benchmark::DoNotOptimize(edit::random_program(random, book()));
  }
  state.SetItemsProcessed(state.iterations());
}

void measure_code_book(benchmark::State& state) {
  for (auto _ : state) {
    edit::CodeBook fresh(zoo::library());
    benchmark::DoNotOptimize(fresh.fitting({}).size());
  }
}

void vary_designs(benchmark::State& state) {
  std::uint64_t i = 0;
  for (auto _ : state) {
    Random random = Random(2).split(i);
    const lang::Program parent = edit::random_program(random, book(), {.most_layers = 8});
    const auto operators = edit::all_operators();
    benchmark::DoNotOptimize(edit::vary(operators[i++ % operators.size()], parent, nullptr, book(), random));
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(generate_designs);
BENCHMARK(measure_code_book)->Unit(benchmark::kMillisecond);
BENCHMARK(vary_designs);

}  // namespace
