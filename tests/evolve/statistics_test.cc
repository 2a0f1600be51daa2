#include "evolve/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace gabbro::evolve {
namespace {

// Looked at after every difference, an interval may miss the truth at any time in at most 5 of 100 sequences.
TEST(Statistics, PeekingDoesNotBreakTheInterval) {
  constexpr int kSequences = 4000, kLength = 40;
  for (const double deviation : {0.003, 1.0}) {
    int missed = 0;
    for (int i = 0; i < kSequences; ++i) {
      Random random = Random(7).split(static_cast<std::uint64_t>(i));
      std::vector<double> x;
      bool miss = false;
      for (int n = 0; n < kLength; ++n) {
        x.push_back(0.1 + deviation * random.normal());
        const Interval ci = anytime_interval(x);
        miss = miss || ci.low > 0.1 || ci.high < 0.1;
      }
      missed += miss;
    }
    EXPECT_LE(missed, kSequences * 5 / 100);
    EXPECT_GT(missed, 0) << "an interval that never misses is too wide to be of use";
  }
}

TEST(Statistics, EvidenceHasExpectationOneUnderTheNull) {
  constexpr int kSequences = 200'000;
  for (const int n : {2, 3, 5}) {
    double sum = 0, passed = 0;
    for (int i = 0; i < kSequences; ++i) {
      Random random = Random(11).split(static_cast<std::uint64_t>(i));
      std::vector<double> x;
      for (int k = 0; k < n; ++k) x.push_back(3 * random.normal());
      // Heavy tails above: the mean is taken of what stays below a bound, which can only lose.
      const double e = evidence(x);
      sum += std::min(e, 50.0);
      passed += e >= 20;
    }
    EXPECT_LT(sum / kSequences, 1.02) << n;
    EXPECT_GT(sum / kSequences, 0.5) << n;
    EXPECT_LT(passed / kSequences, 0.05) << n;
  }
}

TEST(Statistics, IntervalsAreWhatEvidenceDoesNotRefute) {
  const std::vector<double> x{-0.011, -0.013, -0.012, -0.0125, -0.0118};
  const Interval ci = anytime_interval(x);
  EXPECT_TRUE(ci.below_zero());
  for (const double mu : {ci.low, ci.high}) {
    std::vector<double> shifted;
    for (const double v : x) shifted.push_back(v - mu);
    EXPECT_NEAR(evidence(shifted), 20, 1e-6 * 20);
  }
}

TEST(Statistics, FewDifferencesSayLittle) {
  EXPECT_FALSE(anytime_interval(std::vector<double>{-1.0}).excludes_zero());
  EXPECT_FALSE(std::isfinite(anytime_interval(std::vector<double>{-1.0}).low));
  EXPECT_FALSE(anytime_interval(std::vector<double>{-1.0, -1.1}).excludes_zero());
  const Interval same = anytime_interval(std::vector<double>{0.0, 0.0, 0.0});
  EXPECT_EQ(same.low, 0);
  EXPECT_FALSE(same.excludes_zero());
}

TEST(Statistics, MeanIntervalIsStudents) {
  const Interval ci = mean_interval(std::vector<double>{1.0, 2.0, 3.0});  // deviation 1, t = 4.303
  EXPECT_NEAR(ci.mean, 2, 1e-12);
  EXPECT_NEAR(ci.high - 2, 4.303 / std::sqrt(3.0), 1e-9);
}

TEST(Statistics, TheLeastSeedsAreThoseThatCanDecide) {
  const std::vector<double> x{-1, -1.001, -0.999, -1.002, -0.998};
  for (const double alpha : {0.05, 0.01, 0.2}) {
    const int least = least_seeds(alpha);
    ASSERT_LE(least, 5);
    const auto interval = [&](int n) {
      return anytime_interval(std::span(x).first(static_cast<std::size_t>(n)), alpha);
    };
    EXPECT_TRUE(interval(least).below_zero());
    EXPECT_FALSE(interval(least - 1).excludes_zero());
  }
  EXPECT_EQ(least_seeds(), 3);
}

}  // namespace
}  // namespace gabbro::evolve
