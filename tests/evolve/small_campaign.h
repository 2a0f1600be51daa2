// Builds small campaigns event by event, for tests.
#pragma once

#include <optional>
#include <string>

#include "evolve/population.h"
#include "record/source.h"
#include "record/task.h"
#include "record/trial.h"

namespace gabbro::evolve {

// Returns settings with two rungs, a baseline, and one learning rate for all designs.
inline SearchSettings small_settings() {
  SearchSettings s;
  s.rungs = {{.name = "low", .params = 20'000, .tokens = 1000, .promote_fraction = 0.5},
             {.name = "high", .params = 40'000, .tokens = 2000, .designs = 2, .seeds = 2}};
  s.baselines = {"gpt2"};
  s.vocab = 64;
  s.hurdle_runs = 4;
  s.tune_rates = false;
  return s;
}

// A population to which events are added, each with the next id.
class SmallCampaign {
 public:
  explicit SmallCampaign(const SearchSettings& settings = small_settings()) : population(settings) {}

  // Adds a design whose costs are 1000 times its id, and returns the id. `source` is an origin or a strategy.
  std::int64_t design(const std::string& source, const std::string& stack,
                      std::optional<record::Operator> op = {}, std::int64_t parent = 0,
                      const std::string& species = "attention") {
    record::DesignCreated created;
    created.id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    created.attempt = created.id;
    created.name = "M" + std::to_string(created.id);
    created.program = "design " + created.name + ":\n    stack = " + stack + "\n";
    created.hash = "hash " + std::to_string(created.id);
    set_source(created, source);
    created.provenance.op = op;
    created.parent = parent;
    created.species = species;
    created.train_flops = created.decode_flops = 1000.0 * static_cast<double>(created.id);
    EXPECT_TRUE(population.apply(created));
    return created.id;
  }
  // Begins a task of agents and returns its id.
  std::int64_t begin_task(std::int64_t parent = 0, const std::string& strategy = "agents") {
    const std::int64_t id = static_cast<std::int64_t>(population.tasks().size()) + 1;
    EXPECT_TRUE(population.apply(record::TaskBegun{.id = id, .strategy = strategy, .parent = parent}));
    return id;
  }
  void end_task(std::int64_t task, const record::TaskReport& report) {
    EXPECT_TRUE(population.apply(record::TaskEnded{.id = task, .report = record::to_json(report)}));
  }
  // Begins and ends a task that led to a design, and returns the id of the design, a mutation of `parent`.
  std::int64_t design_by_agents(record::TaskReport report, const std::string& stack,
                                std::int64_t parent = 0) {
    record::DesignCreated created;
    created.task = begin_task(parent);
    report.outcome = record::TaskOutcome::kDesign;
    end_task(created.task, report);
    created.id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    created.name = "M" + std::to_string(created.id);
    created.program = "design " + created.name + ":\n    stack = " + stack + "\n";
    set_source(created, "agents");
    created.provenance.mode = report.mode;
    created.parent = parent;
    EXPECT_TRUE(population.apply(created));
    return created.id;
  }
  // Begins a run and returns its id.
  std::int64_t begin(std::int64_t design, int rung, std::uint64_t seed,
                     record::Purpose purpose = record::Purpose::kRung, double rate = 1) {
    const std::int64_t id = static_cast<std::int64_t>(population.trials().size()) + 1;
    EXPECT_TRUE(population.apply(record::TrialBegun{
        .id = id, .design = design, .rung = rung, .seed = seed, .purpose = purpose, .rate = rate}));
    return id;
  }
  // Ends a run, with losses that fall towards `bits`, also if it has no score.
  void end(std::int64_t trial, double bits, record::Status status = record::Status::kDone) {
    record::TrialResult r;
    r.status = status;
    r.bits_per_byte = bits;
    r.documents = {{bits, 1000}, {bits, 1000}};
    r.train_flops_per_token = 1000;
    const double tokens = static_cast<double>(
        population.settings().rungs[static_cast<std::size_t>(population.trial(trial).begun.rung)].tokens);
    for (int i = 1; i <= 100; ++i)
      r.curve.push_back({.step = i,
                         .tokens = static_cast<std::int64_t>(tokens * i / 100),
                         .loss = 0,
                         .gradient_norm = 1,
                         .rate = 1,
                         .recent = bits + 100.0 / (i + 20)});
    end(trial, r);
  }
  // Ends a run with a result of its worker.
  void end(std::int64_t trial, const record::TrialResult& result) {
    EXPECT_TRUE(population.apply(record::TrialEnded{
        .id = trial, .end = record::RunEnd::kResult, .seconds = 1, .result = record::to_json(result)}));
  }
  // Begins and ends a run.
  void run(std::int64_t design, int rung, std::uint64_t seed, double bits,
           record::Purpose purpose = record::Purpose::kRung, record::Status status = record::Status::kDone,
           double rate = 1) {
    end(begin(design, rung, seed, purpose, rate), bits, status);
  }

  Population population;
};

}  // namespace gabbro::evolve
