// Measures commands that read a record of 100,000 designs and 1,000,000 events. The record is generated
// first, in a temporary folder.
#include <benchmark/benchmark.h>

#include "campaign/reading.h"
#include "campaign/record_builder.h"
#include "campaign/record_text.h"
#include "campaign/report.h"

namespace gabbro::campaign {
namespace {

// Returns the record, which is generated at the first use and then opened as the commands open it.
const store::Store& large() {
  static const TemporaryFolder folder;
  static const store::Store store = [] {
    const std::string path = folder.file("campaign.db");
    {
      auto written = store::Store::open(path);
      GABBRO_CHECK(written.has_value());
      large_campaign(*written, /*designs=*/100'000, /*runs=*/150'000, /*events=*/1'000'000);
    }
    auto read = store::Store::read(path);
    GABBRO_CHECK(read.has_value());
    return std::move(*read);
  }();
  return store;
}

// Measures a function from the record to the text of a command.
void run(benchmark::State& state, const auto& text_of) {
  large();  // Its generation is not measured.
  std::size_t bytes = 0;
  for (auto _ : state) {
    const auto text = text_of(large());
    GABBRO_CHECK(text.has_value());
    bytes = text->size();
  }
  state.counters["events"] = static_cast<double>(large().event_count());
  state.counters["bytes"] = static_cast<double>(bytes);
}

void status(benchmark::State& state) {
  run(state, [](const store::Store& s) { return status_text(s); });
}
void top(benchmark::State& state) {
  run(state, [](const store::Store& s) { return top_text(s, /*count=*/10); });
}
void design(benchmark::State& state) {
  run(state, [](const store::Store& s) { return design_text(s, /*design=*/90'000); });
}
void tree(benchmark::State& state) {
  run(state, [](const store::Store& s) { return tree_text(s, /*root=*/0); });
}
void report(benchmark::State& state) {
  run(state, [](const store::Store& s) { return report_html(s); });
}

// Parses and applies every event, which the tables make unnecessary.
void fold(benchmark::State& state) {
  const auto plan = parse_plan(*large().campaign());
  GABBRO_CHECK(plan.has_value());
  for (auto _ : state) {
    evolve::Population population(plan->settings);
    constexpr std::int64_t kPage = 10'000;
    for (std::int64_t from = 1; from <= large().event_count(); from += kPage)
      for (const auto& [time, event] : large().events(from, kPage))
        GABBRO_CHECK(population.apply(event).has_value());
  }
}

BENCHMARK(status)->Unit(benchmark::kMillisecond);
BENCHMARK(top)->Unit(benchmark::kMillisecond);
BENCHMARK(design)->Unit(benchmark::kMillisecond);
BENCHMARK(tree)->Unit(benchmark::kMillisecond);
BENCHMARK(report)->Unit(benchmark::kMillisecond);
BENCHMARK(fold)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace gabbro::campaign
