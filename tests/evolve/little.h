// Small campaigns written event by event, for tests.
#pragma once

#include <string>

#include "evolve/population.h"
#include "record/source.h"
#include "record/trial.h"

namespace gabbro::evolve {

inline Settings little_settings() {
  Settings s;
  s.rungs = {{.name = "low", .params = 20'000, .tokens = 1000, .keep = 0.5},
             {.name = "high", .params = 40'000, .tokens = 2000, .designs = 2, .seeds = 2}};
  s.baselines = {"gpt2"};
  s.vocab = 64;
  s.hurdle_runs = 4;
  s.tune_rates = false;
  return s;
}

// A population and the ids that come next.
class Little {
 public:
  explicit Little(const Settings& settings = little_settings()) : population(settings) {}

  std::int64_t design(const std::string& strategy, const std::string& stack, const std::string& op = "fresh",
                      std::int64_t parent = 0, const std::string& species = "attention") {
    record::DesignBorn born;
    born.id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    born.attempt = born.id;
    born.name = "M" + std::to_string(born.id);
    born.program = "design " + born.name + ":\n    stack = " + stack + "\n";
    born.hash = "hash " + std::to_string(born.id);
    set_source(born, strategy);
    born.op = op;
    born.parent = parent;
    born.species = species;
    born.train_flops = born.decode_flops = 1000.0 * static_cast<double>(born.id);
    EXPECT_TRUE(population.apply(born));
    return born.id;
  }
  std::int64_t begin(std::int64_t design, int rung, std::uint64_t seed,
                     record::Purpose purpose = record::Purpose::kRung, double rate = 1) {
    const std::int64_t id = static_cast<std::int64_t>(population.trials().size()) + 1;
    EXPECT_TRUE(population.apply(record::TrialBegun{id, design, rung, seed, purpose, rate}));
    return id;
  }
  void end(std::int64_t trial, double bits, const std::string& status = "done") {
    record::TrialResult r;
    r.status = status;
    r.bits_per_byte = bits;
    r.documents = {{bits, 1000}, {bits, 1000}};
    r.train_flops_per_token = 1000;
    const double tokens = static_cast<double>(
        population.settings().rungs[static_cast<std::size_t>(population.trial(trial).begun.rung)].tokens);
    for (int i = 1; i <= 100; ++i)
      r.curve.push_back({i, static_cast<std::int64_t>(tokens * i / 100), 0, 1, 1, bits + 100.0 / (i + 20)});
    EXPECT_TRUE(population.apply(record::TrialEnded{trial, "result", 1, record::to_json(r)}));
  }
  void run(std::int64_t design, int rung, std::uint64_t seed, double bits,
           record::Purpose purpose = record::Purpose::kRung, const std::string& status = "done",
           double rate = 1) {
    end(begin(design, rung, seed, purpose, rate), bits, status);
  }

  Population population;
};

}  // namespace gabbro::evolve
