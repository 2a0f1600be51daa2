// Builds records of campaigns from events, without training.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "campaign/campaign.h"
#include "campaign/preset.h"
#include "evolve/comparison.h"
#include "evolve/ladder.h"
#include "lang/printer.h"
#include "record/job.h"
#include "record/source.h"
#include "store/store.h"
#include "zoo/library.h"

namespace gabbro::campaign {

using record::Operator;
using record::Purpose;

/// A folder that is removed at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() / fmt::format("gabbro_campaign_{}_{}", getpid(), ++count);
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// The events of a record. Each method adds some; ids are assigned automatically.
class RecordBuilder {
 public:
  explicit RecordBuilder(bool aa_test = false) {
    plan.settings = *load_settings("laptop");
    // The settings are fixed here, so that expected values do not depend on the preset.
    auto& rungs = plan.settings.rungs;
    rungs.resize(3);
    rungs[0].name = "150k", rungs[0].params = 150'000, rungs[0].tokens = 50'000;
    rungs[1].name = "300k", rungs[1].params = 300'000, rungs[1].tokens = 150'000;
    rungs[2].name = "600k", rungs[2].params = 600'000, rungs[2].tokens = 500'000;
    plan.corpus = "data/small";
    plan.seed = 7;
    plan.aa_test = aa_test;
    events.emplace_back(
        record::CampaignBegun{.config = to_toml(plan), .seed = plan.seed, .version = "0.1.0"});
  }

  /// Adds the start or the end of a session.
  void session(bool begins, record::SessionEnd end = record::SessionEnd::kDone) {
    events.emplace_back(record::Session{.begins = begins, .end = end});
  }

  std::int64_t baseline(const std::string& file) {
    return design("baseline", {.description = file}, 0, lang::print(*zoo::program(file + ".gab")), file);
  }
  std::int64_t design(const std::string& strategy, const record::Provenance& provenance, std::int64_t parent,
                      const std::string& program = "design Made:\n    stack = [Block(mixer=Attention)]\n",
                      const std::string& name = "Made") {
    record::DesignCreated d;
    d.id = ++designs;
    set_source(d, strategy);
    d.attempt = d.origin == record::Origin::kSearch ? ++attempts : 0;
    d.name = name;
    d.program = program;
    d.hash = fmt::format("h{}", d.id);
    d.fingerprint = fmt::format("f{}", d.id);
    d.provenance = provenance;
    d.parent = parent;
    d.species = "attention";
    d.train_flops = 1e6 + 1e3 * static_cast<double>(d.id);
    d.decode_flops = 4e5 + 1e4 * static_cast<double>(d.id % 7);
    d.state_bytes = 4096;
    events.emplace_back(d);
    return d.id;
  }
  record::DesignCreated& last_design() { return std::get<record::DesignCreated>(events.back()); }

  void refuse(const std::string& strategy, record::Cause cause, const std::string& detail = "detail") {
    events.emplace_back(record::Refused{.attempt = ++attempts,
                                        .strategy = strategy,
                                        .provenance = {.op = Operator::kWrap},
                                        .cause = cause,
                                        .detail = detail});
  }

  /// Begins a run and returns its id.
  std::int64_t begin(std::int64_t design, int rung, std::uint64_t seed, Purpose purpose = Purpose::kRung) {
    events.emplace_back(
        record::TrialBegun{.id = ++trials, .design = design, .rung = rung, .seed = seed, .purpose = purpose});
    return trials;
  }
  /// Adds a whole run that ends as done with `bits`.
  std::int64_t run(std::int64_t design, int rung, std::uint64_t seed, double bits,
                   Purpose purpose = Purpose::kRung) {
    return run(design, rung, seed, purpose,
               [&](record::TrialResult& r) { r.status = record::Status::kDone, r.bits_per_byte = bits; });
  }
  /// Adds a whole run with a result that `change` sets.
  std::int64_t run(std::int64_t design, int rung, std::uint64_t seed, Purpose purpose,
                   const std::function<void(record::TrialResult&)>& change) {
    const std::int64_t id = begin(design, rung, seed, purpose);
    record::TrialResult r;
    r.status = record::Status::kDone;
    r.tokens = plan.settings.rungs.at(static_cast<std::size_t>(rung)).tokens;
    r.params = 150'000;
    change(r);
    r.bits_low = r.bits_per_byte - 0.01, r.bits_high = r.bits_per_byte + 0.01;
    r.documents = {{r.bits_per_byte, 1000}, {r.bits_per_byte, 1000}};
    r.train_flops_per_token = 1e6 + 1e3 * static_cast<double>(design);
    for (int k = 1; k <= points; ++k) {
      const double share = static_cast<double>(k) / points, loss = r.bits_per_byte + 3 * std::exp(-5 * share);
      r.curve.push_back({.step = k * 10,
                         .tokens = static_cast<std::int64_t>(share * static_cast<double>(r.tokens)),
                         .loss = loss,
                         .gradient_norm = 1,
                         .rate = 0.003,
                         .recent = loss});
    }
    r.last_loss = r.curve.empty() ? 0 : r.curve.back().loss;
    events.emplace_back(record::TrialEnded{
        .id = id, .end = record::RunEnd::kResult, .seconds = 12.5, .result = record::to_json(r)});
    return id;
  }
  void crash(std::int64_t design, int rung, std::uint64_t seed, const std::string& cause) {
    const std::int64_t id = begin(design, rung, seed);
    events.emplace_back(
        record::TrialEnded{.id = id,
                           .end = record::RunEnd::kCrash,
                           .seconds = 3,
                           .result = record::failure("train", cause, record::Cause::kWorker)});
  }
  /// Begins a comparison of `design`, on the seeds after the search's.
  void compare(std::int64_t design, int rung, int seeds) {
    events.emplace_back(record::ComparisonBegun{.id = 1,
                                                .design = design,
                                                .rung = rung,
                                                .seed = plan.seed + evolve::kSeedBlock,
                                                .seeds = seeds,
                                                .level = evolve::level_of(1),
                                                .reason = "as many as the test has"});
  }
  void promote(std::int64_t design, int rung, const std::string& reason) {
    events.emplace_back(record::Promoted{design, rung, reason});
  }

  /// Writes the events into a new file and opens it for reading.
  [[nodiscard]] store::Store store(const TemporaryFolder& folder) const {
    const std::string path = folder.file("campaign.db");
    {
      auto written = store::Store::open(path);
      GABBRO_CHECK(written.has_value());
      const auto ok = written->append(events);
      GABBRO_CHECK(ok.has_value());
    }
    auto read = store::Store::read(path);
    GABBRO_CHECK(read.has_value());
    return std::move(*read);
  }
  /// Returns the population after replaying the events, as the campaign computes it.
  [[nodiscard]] evolve::Population population() const {
    evolve::Population out(plan.settings);
    for (const record::Event& e : events) {
      const auto ok = out.apply(e);
      GABBRO_CHECK(ok.has_value());
    }
    return out;
  }

  CampaignPlan plan;
  std::vector<record::Event> events;
  std::int64_t designs = 0, trials = 0, attempts = 0;
  int points = 20;  // number of points of a run's curve
};

/// Returns a campaign with baselines, two strategies over three rungs, hurdles, failures, the final
/// comparison and its ablations. On fresh seeds the score of design 5 differs from that of the best baseline
/// by `against_best`.
inline RecordBuilder whole_campaign(double against_best = -0.05) {
  RecordBuilder m;
  m.plan.settings.strategies = {"adaptive", "random"};
  std::get<record::CampaignBegun>(m.events[0]).config = to_toml(m.plan);
  m.session(true);
  const std::int64_t llama = m.baseline("llama"), gpt2 = m.baseline("gpt2"), retnet = m.baseline("retnet");
  m.run(llama, 0, 7, 2.50, Purpose::kBaseline);
  m.run(gpt2, 0, 7, 2.70, Purpose::kBaseline);
  m.run(retnet, 0, 7, 2.55, Purpose::kBaseline);
  std::string changed = lang::print(*zoo::program("llama.gab"));
  const std::size_t at = changed.find("RMSNorm]");
  changed.replace(at, 8, "LayerNorm]");
  const std::int64_t parent =
      m.design("adaptive", {Operator::kSwapOperator}, llama, lang::print(*zoo::program("llama.gab")));
  m.run(parent, 0, 7, 2.48);
  const std::int64_t winner = m.design("adaptive", {Operator::kSetHyper}, parent, changed);
  m.run(winner, 0, 7, 2.40);
  const std::int64_t other = m.design("random", {}, 0);
  m.run(other, 0, 7, 2.90);
  const std::int64_t slow = m.design("random", {}, 0);
  m.run(slow, 0, 7, Purpose::kRung, [](record::TrialResult& r) {
    r.status = record::Status::kHurdle, r.cause = "loss 5.1 above 4.0", r.tokens /= 4;
  });
  const std::int64_t broken = m.design("adaptive", {Operator::kWrap}, winner);
  m.crash(broken, 0, 7, "signal 11");
  for (int k = 0; k < 3; ++k) m.refuse("adaptive", record::Cause::kCost, fmt::format("{} FLOPs", 100 + k));
  m.refuse("random", record::Cause::kDuplicate);
  m.promote(winner, 1, "2.4000 bits per byte, rank 1 of 5 at 150k");
  for (const auto& [design, bits] : {std::pair{winner, 2.20}, {llama, 2.30}, {gpt2, 2.50}, {retnet, 2.35}})
    m.run(design, 1, 7, bits, design == winner ? Purpose::kRung : Purpose::kBaseline);
  m.promote(winner, 2, "2.2000 bits per byte, rank 1 of 1 at 300k");
  for (std::uint64_t seed = 7; seed < 9; ++seed)
    for (const auto& [design, bits] : {std::pair{winner, 1.90}, {llama, 1.97}, {gpt2, 2.10}, {retnet, 2.0}})
      m.run(design, 2, seed, bits + 0.001 * static_cast<double>(seed),
            design == winner ? Purpose::kReplicate : Purpose::kBaseline);
  const std::int64_t without_part = m.design("ablation", {.description = "stack.1: LayerNorm removed"},
                                             winner, lang::print(*zoo::program("llama.gab")));
  const double noise[] = {0.000, 0.002, -0.001, 0.001};  // by seed
  m.compare(winner, 2, 4);
  for (std::uint64_t k = 0; k < 4; ++k) {
    const std::uint64_t seed = m.plan.seed + evolve::kSeedBlock + k;
    const double winner_bits = 1.95 + against_best + noise[k];
    m.run(winner, 2, seed, winner_bits, Purpose::kFinal);
    m.run(llama, 2, seed, 1.95, Purpose::kFinal);
    m.run(gpt2, 2, seed, 2.11 + noise[3 - k], Purpose::kFinal);
    m.run(retnet, 2, seed, 2.02 - noise[k], Purpose::kFinal);
    m.run(without_part, 2, seed, winner_bits + 0.0312 + noise[3 - k] - noise[0], Purpose::kAblation);
  }
  m.session(false);
  return m;
}

/// Writes `designs` designs in three strategies, `runs` runs, and refusals until there are `events` events,
/// in batches.
inline void large_campaign(store::Store& store, std::int64_t designs, std::int64_t runs,
                           std::int64_t events) {
  RecordBuilder m;
  m.plan.settings.strategies = {"adaptive", "tournament", "random"};
  std::get<record::CampaignBegun>(m.events[0]).config = to_toml(m.plan);
  m.session(true);
  for (const char* file : {"llama", "gpt2", "retnet"}) m.run(m.baseline(file), 0, 7, 2.5, Purpose::kBaseline);
  std::int64_t written = 0;
  const auto flush = [&] {
    written += static_cast<std::int64_t>(m.events.size());
    const auto ok = store.append(m.events);
    GABBRO_CHECK(ok.has_value());
    m.events.clear();
  };
  Random random(5);
  const char* strategies[] = {"adaptive", "tournament", "random"};
  const Operator ops[] = {Operator::kSwapOperator, Operator::kWrap, Operator::kSetHyper, Operator::kCrossover,
                          Operator::kInsert};
  const std::int64_t refusals = events - designs - 2 * runs;
  for (std::int64_t k = 4; k <= designs; ++k) {  // the first three are the baselines
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int64_t>(random.uniform() * static_cast<double>(n));
    };
    const std::int64_t parent =
        random.chance(0.1) ? 0
                           : std::max<std::int64_t>(1, k - 1 - below(std::min<std::int64_t>(k - 1, 2000)));
    const std::int64_t id = m.design(strategies[k % 3], {.op = ops[below(5)]}, parent);
    m.last_design().decode_flops = 1e5 * std::exp(3 * random.uniform());
    const double bits = 2.4 + 0.4 * random.uniform();
    if (random.chance(0.2))
      m.run(id, 0, 7, Purpose::kRung, [](record::TrialResult& r) {
        r.status = record::Status::kHurdle, r.cause = "loss 5.1 above 4.0", r.tokens /= 4;
      });
    else
      m.run(id, 0, 7, bits);
    if (m.trials < runs - (designs - k) && bits < 2.6) {
      m.run(id, 1, 7, bits - 0.2);
      if (bits < 2.5 && m.trials < runs - (designs - k)) m.run(id, 2, 7, bits - 0.4);
    }
    for (std::int64_t r = refusals * k / designs - refusals * (k - 1) / designs; r > 0; --r)
      m.refuse(strategies[k % 3], record::Cause::kDuplicate);
    if (m.events.size() > 5000) flush();
  }
  m.session(false, record::SessionEnd::kBudget);
  flush();
}

}  // namespace gabbro::campaign
