// Tests that every known architecture has a size at common budgets, and the baselines at the rungs of every
// preset.
#include <gtest/gtest.h>

#include <cmath>

#include "campaign/preset.h"
#include "evolve/depth.h"
#include "evolve/identity.h"
#include "ir/facts.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

// Expects that the program has a size within 1 % of every rung, at the depth of the settings.
void expect_sizes(const std::string& file, const lang::Program& program,
                  const evolve::SearchSettings& settings) {
  SCOPED_TRACE(file);
  const double factor = static_cast<double>(settings.blocks) / evolve::repetitions(program);
  for (const evolve::Rung& rung : settings.rungs) {
    const auto sized = evolve::sized_at(evolve::deepened(program, factor), rung, settings, zoo::library());
    if (!sized) {
      ADD_FAILURE() << sized.error().message;
      continue;
    }
    const auto got = static_cast<double>(ir::count_params(sized->subject.elaboration.graph));
    EXPECT_LE(std::abs(got / static_cast<double>(rung.params) - 1), 0.01) << rung.name;
  }
}

TEST(ZooSizes, ExistOnTheLaptopLadderAndBeyond) {
  evolve::SearchSettings settings;
  settings.vocab = 512;
  settings.blocks = 2;
  settings.rungs = {{.name = "150k", .params = 150'000},
                    {.name = "300k", .params = 300'000, .depth = 1.5},
                    {.name = "600k", .params = 600'000, .depth = 2},
                    {.name = "1M", .params = 1'000'000, .depth = 2},
                    {.name = "5M", .params = 5'000'000, .depth = 4}};
  int designs = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    const lang::Program& program = *zoo::program(entry.file);
    if (!lang::last_design(program)) continue;
    ++designs;
    expect_sizes(std::string(entry.file), program, settings);
  }
  EXPECT_GE(designs, 35);
}

// Work on parameters and constants alone, which tokens share, is next to nothing in known architectures.
TEST(ZooSizes, WorkOnParametersIsSmall) {
  evolve::SearchSettings settings;
  settings.vocab = 512;
  settings.rungs = {{.name = "150k", .params = 150'000, .sequences = 4, .length = 128}};
  int some = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    const lang::Program& program = *zoo::program(entry.file);
    if (!lang::last_design(program)) continue;
    const auto sized = evolve::sized_at(program, settings.rungs[0], settings, zoo::library());
    if (!sized) continue;  // ExistOnTheLaptopLadderAndBeyond reports it
    const ir::Graph& graph = sized->subject.elaboration.graph;
    const ir::TokenCosts costs =
        ir::token_costs(ir::derive_facts(graph), graph.env, sized->sequences, sized->length);
    EXPECT_LE(costs.train_share, 0.01 * costs.train_flops) << entry.file;
    EXPECT_LE(costs.decode_share, 0.01 * costs.decode_flops) << entry.file;
    some += costs.train_share > 0;
  }
  EXPECT_GT(some, 0);
}

// The baselines keep the depth at which they are written.
TEST(ZooSizes, ExistForBaselinesWithAllTheirBlocks) {
  for (const char* file : {"gpt2.gab", "llama.gab", "mamba2.gab", "retnet.gab", "rwkv6.gab",
                           "gated_deltanet.gab", "ttt_linear.gab"}) {
    const lang::Program& program = *zoo::program(file);
    evolve::SearchSettings settings;
    settings.vocab = 512;
    settings.blocks = evolve::repetitions(program);
    settings.rungs = {{.name = "150k", .params = 150'000},
                      {.name = "300k", .params = 300'000},
                      {.name = "600k", .params = 600'000},
                      {.name = "1M", .params = 1'000'000},
                      {.name = "5M", .params = 5'000'000}};
    expect_sizes(file, program, settings);
  }
}

TEST(ZooSizes, ExistForBaselinesOfEveryPreset) {
  for (const campaign::Preset& preset : campaign::presets()) {
    SCOPED_TRACE(std::string(preset.name));
    const auto settings = campaign::parse_settings(preset.text, std::string(preset.name));
    ASSERT_TRUE(settings) << settings.error().message;
    for (const std::string& file : settings->baselines)
      expect_sizes(file, *zoo::program(file + ".gab"), *settings);
  }
}

}  // namespace
}  // namespace gabbro::testing
