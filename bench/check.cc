// Measures how long the checker takes (parse, elaborate, verify, prove, derive facts, hash), by number of
// layers.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include "lang/check.h"
#include "zoo/library.h"

namespace {

void check_stack(benchmark::State& state, const char* mixer) {
  const std::string program =
      fmt::format("design M:\n    stack = [{} * Block(mixer={}), RMSNorm]\n", state.range(0), mixer);
  const auto& library = gabbro::zoo::library();
  for (auto _ : state) {
    const auto report = gabbro::lang::check(program, library);
    if (!report.valid()) state.SkipWithError("the program is refused");
  }
  state.SetComplexityN(state.range(0));
}

BENCHMARK_CAPTURE(check_stack, attention, "Attention")
    ->RangeMultiplier(2)
    ->Range(6, 48)
    ->Arg(24)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(check_stack, gla, "GLA")
    ->RangeMultiplier(2)
    ->Range(6, 48)
    ->Arg(24)
    ->Unit(benchmark::kMillisecond);

}  // namespace
