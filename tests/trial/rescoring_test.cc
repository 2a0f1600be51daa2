#include "trial/rescoring.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "trial/backend.h"
#include "zoo/sized.h"

namespace gabbro::trial {
namespace {

class RescoringTest : public ::testing::Test {
 protected:
  RescoringTest() : judge_(subject_.elaboration.graph, subject_.elaboration.outputs, {}, 8, 1 << 30) {}

  // Returns the tokens of window `i`, which has `count` losses.
  static std::vector<std::int64_t> tokens_of(std::int64_t i, std::int64_t count) {
    std::vector<std::int64_t> out;
    for (std::int64_t t = 0; t <= count; ++t) out.push_back((i * 5 + t * t) % 31);
    return out;
  }
  // Returns what the judge says of them.
  std::vector<float> losses_of(const std::vector<std::int64_t>& tokens) {
    const std::vector<double> exact = judge_.losses({.sequences = 1,
                                                     .length = std::ssize(tokens) - 1,
                                                     .tokens = {tokens.begin(), tokens.end() - 1},
                                                     .targets = {tokens.begin() + 1, tokens.end()}});
    return {exact.begin(), exact.end()};
  }

  lang::Subject subject_ =
      std::move(*zoo::sized_design("design A:\n    stack = [Block, RMSNorm]\n", 5'000, 31));
  Judge judge_;
};

TEST_F(RescoringTest, TellsOfDifferencesOfEitherSign) {
  WindowSample sample(10, Random(1));
  const auto add = [&](std::int64_t i, std::int64_t count, float moved) {
    const std::vector<std::int64_t> tokens = tokens_of(i, count);
    std::vector<float> losses = losses_of(tokens);
    for (float& loss : losses) loss += moved;
    sample.add({tokens, losses});
  };
  add(0, 8, 0);
  const Rescoring same = sample.compare(judge_, 8);
  EXPECT_EQ(same.windows, 1);
  EXPECT_NEAR(same.mean, 0, 1e-6);
  add(1, 8, 0.5F);
  add(2, 8, -0.5F);
  add(3, 2, 1);
  const Rescoring moved = sample.compare(judge_, 8);
  EXPECT_EQ(moved.windows, 4);
  EXPECT_NEAR(moved.mean, (4 + 4 + 2) / 26.0, 1e-6);
  EXPECT_NEAR(moved.worst, 0.5, 1e-6);
}

TEST_F(RescoringTest, NumbersThatAreNoneDiffer) {
  for (const float loss : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    WindowSample sample(10, Random(1));
    const std::vector<std::int64_t> tokens = tokens_of(0, 8);
    std::vector<float> losses = losses_of(tokens);
    losses[3] = loss;
    sample.add({tokens, losses});
    EXPECT_TRUE(std::isinf(sample.compare(judge_, 8).mean)) << loss;
    EXPECT_TRUE(std::isinf(sample.compare(judge_, 8).worst)) << loss;
  }
}

// The windows are told from each other by their loss, which the judge does not have: 2^i in window i.
TEST_F(RescoringTest, EveryWindowIsDrawnEquallyOften) {
  constexpr int kDraws = 1000, kWindows = 12, kKept = 3;
  std::map<int, int> drawn;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    WindowSample sample(kKept, Random(seed));
    for (int i = 0; i < kWindows; ++i) {
      const std::vector<std::int64_t> tokens{1, 2};
      const std::vector<float> losses{static_cast<float>(1 << i) + losses_of(tokens)[0]};
      sample.add({tokens, losses});
    }
    const Rescoring found = sample.compare(judge_, 1);
    EXPECT_EQ(found.windows, kKept);
    const long sum = std::lround(found.mean * kKept);
    for (int i = 0; i < kWindows; ++i) drawn[i] += static_cast<int>(sum >> i & 1);
  }
  int all = 0;
  for (const auto& [window, times] : drawn) {
    EXPECT_NEAR(times, kDraws * kKept / kWindows, 60) << window;  // more than four standard deviations
    all += times;
  }
  EXPECT_EQ(all, kDraws * kKept);
}

TEST_F(RescoringTest, HowManyWindowsDependsOnTheTraining) {
  const auto& [graph, outputs] = std::tie(subject_.elaboration.graph, subject_.elaboration.outputs);
  const auto windows = [&](std::int64_t tokens, std::int64_t length, double flops = 1e12) {
    return windows_to_rescore(graph, outputs, {.tokens = tokens, .length = length}, flops);
  };
  EXPECT_EQ(windows(300'000, 128), 23);
  EXPECT_EQ(windows(1'000, 128), 4);
  EXPECT_EQ(windows(100'000'000, 512), 32);
  EXPECT_GE(windows(100'000'000, 1 << 18, 0), 1);
}

}  // namespace
}  // namespace gabbro::trial
