// Tests of `gabbro evolve --plan`: what a ladder takes, before anything runs.
#include "campaign/forecast.h"

#include <gtest/gtest.h>

#include "campaign/preset.h"
#include "evolve/ablate.h"
#include "evolve/depth.h"
#include "evolve/screen.h"
#include "zoo/library.h"

namespace gabbro::campaign {
namespace {

evolve::SearchSettings ladder() {
  evolve::SearchSettings s;
  s.baselines = {"llama"};
  s.controls = {"local"};
  s.blocks = 2;
  s.vocab = 512;
  s.tune_rates = false;
  s.final_seeds = 3;
  s.rungs = {{.name = "low", .params = 150'000, .tokens = 1'000'000, .designs = 10, .seeds = 2},
             {.name = "high",
              .params = 300'000,
              .tokens = 2'000'000,
              .length = 64,
              .depth = 2,
              .designs = 4,
              .engine = record::Engine::kPyTorch,
              .device = "cuda",
              .gpus = 2}};
  return s;
}

TEST(Forecast, CountsRunsWorkAndMemory) {
  const evolve::SearchSettings s = ladder();
  const AssumedSpeed speed{.cpu = 1e9, .gpu_peak = 100e9, .utilisation = 0.5};
  const auto rungs = forecast(s, speed);
  ASSERT_TRUE(rungs.has_value()) << rungs.error().message;
  ASSERT_EQ(rungs->size(), 2U);
  double sum = 0;
  for (const char* file : {"llama.gab", "local.gab"}) {
    const auto flops = evolve::train_flops_at(evolve::as_baseline(*zoo::program(file), 2, 128), s.rungs[1], s,
                                              zoo::library());
    ASSERT_TRUE(flops.has_value());
    sum += *flops;
  }
  const RungForecast &low = (*rungs)[0], &high = (*rungs)[1];
  EXPECT_EQ(low.search_runs, (10 + 2) * 2);
  EXPECT_EQ(high.search_runs, 4 + 2);
  EXPECT_EQ(low.final_runs, 0);
  EXPECT_EQ(high.final_runs, 3 * (3 + evolve::kMostAblations))
      << "the winner, a baseline, a control and ablations on three seeds";
  EXPECT_NEAR(high.mean_flops, sum / 2 * 2e6, 1);
  EXPECT_LE(high.lowest_flops, high.mean_flops);
  EXPECT_GE(high.highest_flops, high.mean_flops);
  EXPECT_NEAR(high.mean_seconds, high.mean_flops / (100e9 * 0.5 * 2), 1e-9);
  EXPECT_NEAR(low.mean_seconds, low.mean_flops / 1e9, 1e-9);
  EXPECT_DOUBLE_EQ(high.memory_floor, 16.0 * 300'000 + 8.0 * 64 * 512);
  const std::string text = forecast_text(s, speed, *rungs);
  EXPECT_NE(text.find("2 GPUs"), std::string::npos) << text;
  EXPECT_EQ(text.find('?'), std::string::npos) << text;
}

TEST(Forecast, CountsTheSearchesForRates) {
  evolve::SearchSettings s = ladder();
  s.tune_rates = true;
  s.ablate = false;
  s.final_seeds = 7;
  const auto rungs = forecast(s, {});
  ASSERT_TRUE(rungs.has_value());
  EXPECT_EQ((*rungs)[0].search_runs, (10 + 2) * 2 + 2 * 4) << "four more rates for each of two known designs";
  EXPECT_EQ((*rungs)[1].search_runs, 4 + 2);
  EXPECT_EQ((*rungs)[1].final_runs, 3 * 7 + (4 + 3) + 2 * (8 + 3));
}

TEST(Forecast, SaysWhatABudgetDecides) {
  evolve::SearchSettings s = ladder();
  s.rungs[0].designs = 0;
  const auto rungs = forecast(s, {});
  ASSERT_TRUE(rungs.has_value());
  EXPECT_FALSE((*rungs)[0].search_runs.has_value());
  EXPECT_NE(forecast_text(s, {}, *rungs).find("the budget (--minutes, --trials) decides"), std::string::npos);
}

TEST(Forecast, NamesTheDesignThatHasNoSize) {
  evolve::SearchSettings s = ladder();
  s.rungs[1].params = 100;
  const auto rungs = forecast(s, {});
  ASSERT_FALSE(rungs.has_value());
  EXPECT_NE(rungs.error().message.find("llama at the rung high"), std::string::npos) << rungs.error().message;
}

TEST(Forecast, ForecastsTheGenesysLadder) {
  const auto settings = load_settings("genesys");
  ASSERT_TRUE(settings.has_value());
  const auto rungs = forecast(*settings, {});
  ASSERT_TRUE(rungs.has_value()) << rungs.error().message;
  for (const RungForecast& f : *rungs) {
    EXPECT_TRUE(f.search_runs.has_value()) << f.name;
    // Six operations per parameter and token, more or less: attention and recurrences come on top, and
    // embeddings are looked up.
    const double simple = 6.0 * static_cast<double>(f.params) * static_cast<double>(f.tokens);
    EXPECT_GT(f.mean_flops, simple / 3) << f.name;
    EXPECT_LT(f.mean_flops, simple * 6) << f.name;
  }
}

}  // namespace
}  // namespace gabbro::campaign
