// Measures the record of a large campaign, with 100,000 designs and 1,000,000 events: each query, an append,
// and rebuilding the tables.
#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "record/trial.h"
#include "store/store.h"

namespace {

using namespace gabbro;
namespace fs = std::filesystem;

constexpr std::int64_t kDesigns = 100'000, kEvents = 1'000'000;
constexpr std::int64_t kBatch = 10'000;  // events in a transaction
constexpr int kCurvePoints = 50;

// Generates a design every ten events, then the start of a trial and its result. The other events are
// refusals, since most draws of a campaign are refused.
class Campaign {
 public:
  std::vector<record::Event> next_batch() {
    std::vector<record::Event> out;
    while (static_cast<std::int64_t>(out.size()) < kBatch) {
      if (count_ == 0) {
        add(out, record::CampaignBegun{.seed = 1, .version = "bench"});
        continue;
      }
      const std::int64_t turn = count_ % 10;
      if (turn == 1)
        add(out, design());
      else if (turn == 2)
        add(out, record::TrialBegun{.id = ++trials_,
                                    .design = random_design(),
                                    .rung = rung(),
                                    .seed = random_(),
                                    .purpose = record::Purpose::kRung});
      else if (turn == 3)
        add(out, trial_end());
      else
        add(out, record::Refused{.attempt = ++attempts_,
                                 .strategy = strategy(),
                                 .cause = refusals_[random_() % 3],
                                 .detail = "detail"});
    }
    return out;
  }

 private:
  void add(std::vector<record::Event>& out, record::Event event) {
    out.push_back(std::move(event));
    ++count_;
  }
  record::DesignCreated design() {
    record::DesignCreated d;
    d.id = ++designs_, d.attempt = ++attempts_;
    d.name = fmt::format("Design{}", d.id);
    d.program = std::string(1500, 'x');
    d.hash = fmt::format("{:032x}", random_()), d.fingerprint = fmt::format("{:032x}", random_());
    d.strategy = strategy(), d.provenance.op = record::Operator::kSwapOperator,
    d.species = "attention + shift";
    d.parent = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(d.id));
    d.train_flops = 6e6, d.decode_flops = 2e6, d.state_bytes = 65536;
    return d;
  }
  record::TrialEnded trial_end() {
    record::TrialResult r;
    const auto outcome = random_() % 10;
    r.status = outcome < 7    ? record::Status::kDone
               : outcome == 7 ? record::Status::kHurdle
               : outcome == 8 ? record::Status::kRefused
                              : record::Status::kFailed;
    if (outcome >= 7) r.cause = fmt::format("{} at step {}", causes_[random_() % 5], random_() % 1000);
    r.bits_per_byte = 1.5 + static_cast<double>(random_() % 10'000) / 10'000;
    r.tokens = 500'000;
    for (int i = 0; i < kCurvePoints; ++i)
      r.curve.push_back(
          {.step = i, .tokens = i * 4096, .loss = 6.0 / (1 + i), .gradient_norm = 1.234567, .rate = 0.003});
    return {.id = ++ended_, .end = record::RunEnd::kResult, .seconds = 12, .result = record::to_json(r)};
  }
  std::int64_t random_design() {
    return 1 + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(designs_));
  }
  // One trial in 10 is at rung 1, and one in 100 at rung 2.
  int rung() { return static_cast<int>(trials_ % 100 == 0 ? 2 : trials_ % 10 == 0 ? 1 : 0); }
  std::string strategy() { return random_() % 2 == 0 ? "ours" : "random"; }

  std::mt19937_64 random_{7};
  std::vector<std::string> causes_{"duplicate", "edit", "fingerprint", "mixes nothing", "cost"};
  std::vector<record::Cause> refusals_{record::Cause::kDuplicate, record::Cause::kEdit, record::Cause::kCost};
  std::int64_t count_ = 0, designs_ = 0, trials_ = 0, ended_ = 0, attempts_ = 0;
};

class Folder {
 public:
  explicit Folder(const char* name)
      : path_(fs::temp_directory_path() / fmt::format("gabbro_bench_{}{}", name, getpid())) {
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::string file(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

void require(const Result<bool>& ok) {
  if (!ok) fmt::print(stderr, "{}\n", ok.error().message);
  GABBRO_CHECK(ok.has_value());
}

// Returns the record, which is generated at the first use.
store::Store& large() {
  static Folder folder("large");
  static store::Store store = [] {
    auto written = store::Store::open(folder.file("campaign.db"));
    GABBRO_CHECK(written.has_value());
    Campaign campaign;
    for (std::int64_t i = 0; i < kEvents; i += kBatch) require(written->append(campaign.next_batch()));
    GABBRO_CHECK(written->event_count() == kEvents && written->design_count() == kDesigns);
    return std::move(*written);
  }();
  return store;
}

void query(benchmark::State& state, std::size_t (*count_rows)(const store::Store&)) {
  const store::Store& store = large();
  std::size_t rows = 0;
  for (auto _ : state) benchmark::DoNotOptimize(rows = count_rows(store));
  state.counters["rows"] = static_cast<double>(rows);
}

#define QUERY(name, expression)                                                        \
  BENCHMARK_CAPTURE(                                                                   \
      query, name, +[](const store::Store& s) -> std::size_t { return (expression); }) \
      ->Unit(benchmark::kMillisecond)

QUERY(designs, s.designs().size());
QUERY(trials, s.trials().size());
QUERY(best, s.best(/*rung=*/0, /*limit=*/20).size());
QUERY(rungs, s.rungs().size());
QUERY(refusals, s.refusals().size());
QUERY(failures, s.failures().size());
QUERY(design, s.design(kDesigns / 2)->created.program.size() > 0 ? 1 : 0);
QUERY(trials_of, s.trials_of(1).size());
QUERY(result, s.result(1)->curve.size());
QUERY(last_attempt, s.last_attempt() > 0 ? 1 : 0);
QUERY(last_1000_events, s.events(kEvents - 999, 1000).size());

// Appends one event in one transaction, on disk.
void append(benchmark::State& state) {
  const Folder folder("append");
  auto store = store::Store::open(folder.file("campaign.db"));
  GABBRO_CHECK(store.has_value());
  require(store->append(record::CampaignBegun{.seed = 1, .version = "bench"}));
  std::int64_t attempt = 0;
  for (auto _ : state)
    require(store->append(
        record::Refused{.attempt = ++attempt, .strategy = "ours", .cause = record::Cause::kEdit}));
}
BENCHMARK(append)->Unit(benchmark::kMillisecond)->UseRealTime();

void rebuild(benchmark::State& state) {
  store::Store& store = large();
  for (auto _ : state) require(store.rebuild());
}
BENCHMARK(rebuild)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
