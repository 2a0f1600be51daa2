// Tests of variances, intervals and planned numbers of seeds, against hand computations and simulations.
#include "evolve/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace gabbro::evolve {
namespace {

TEST(Statistics, ResidualVarianceIsWhatRowsAndColumnsLeave) {
  // A two-by-two layout has one degree of freedom; the variance is (a - b - c + d)^2 / 4.
  const Variance square = residual_variance({{1, 1, 2.0}, {1, 2, 5.0}, {2, 1, 3.0}, {2, 2, 7.0}});
  EXPECT_DOUBLE_EQ(square.freedom, 1);
  EXPECT_NEAR(square.value, (2.0 - 5 - 3 + 7) * (2.0 - 5 - 3 + 7) / 4, 1e-12);
  // Values that rows and columns explain leave a variance of 0, also with gaps. Cells that are alone in their
  // row or column do not count.
  std::vector<Cell> cells;
  for (std::int64_t row = 0; row < 5; ++row)
    for (std::int64_t column = 0; column < 4; ++column)
      if ((row + 2 * column) % 5 != 1)
        cells.push_back({row, column, 3.0 * static_cast<double>(row * row) - static_cast<double>(column)});
  const auto count = static_cast<double>(cells.size());
  cells.push_back({9, 1, 100.0});
  const Variance none = residual_variance(cells);
  EXPECT_NEAR(none.value, 0, 1e-20);
  EXPECT_DOUBLE_EQ(none.freedom, count - 5 - 4 + 1);
  // Two layouts without a common row or column each have a mean of their own.
  std::vector<Cell> apart{{1, 1, 2.0}, {1, 2, 5.0}, {2, 1, 3.0}, {2, 2, 7.0}};
  for (const Cell& c : std::vector<Cell>(apart)) apart.push_back({c.row + 10, c.column + 10, c.value + 4});
  EXPECT_DOUBLE_EQ(residual_variance(apart).freedom, 2);
  EXPECT_NEAR(residual_variance(apart).value, square.value, 1e-12);
  EXPECT_EQ(residual_variance({{1, 1, 2.0}, {2, 2, 1.0}}).freedom, 0);
}

TEST(Statistics, AVarianceIsEstimatedWithoutBias) {
  double sum = 0, freedom = 0;
  for (std::uint64_t world = 0; world < 2000; ++world) {
    Random random = Random(5).split(world);
    std::vector<Cell> cells;
    for (std::int64_t column = 0; column < 4; ++column) {
      const double seed = random.normal();
      for (std::int64_t row = 0; row < 6; ++row)
        if (!random.chance(0.15))
          cells.push_back({row, column, static_cast<double>(row) + seed + 0.02 * random.normal()});
    }
    const Variance v = residual_variance(cells);
    sum += v.value * v.freedom, freedom += v.freedom;
  }
  EXPECT_NEAR(sum / freedom, 0.0004, 0.000015);
}

// Returns differences with their sample variance, on documents without variance.
Paired paired_of(const std::vector<double>& x) {
  double mean = 0, squares = 0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) squares += (v - mean) * (v - mean);
  const double freedom = static_cast<double>(x.size()) - 1;
  return {x, {squares / freedom, freedom}, {}};
}

TEST(Statistics, TheIntervalIsTheWiderOfTwo) {
  const Paired pair = paired_of({-0.011, -0.013, -0.012, -0.0125, -0.0118});
  // The pair's own variance is tiny, so the pooled one decides: 2 * 0.01^2 / 5, t(0.975, 40) = 2.0211.
  const Interval by_pool = paired_interval(pair, {0.0001, 40}, 0.05);
  EXPECT_NEAR(by_pool.high - by_pool.mean, 2.0211 * std::sqrt(2 * 0.0001 / 5), 1e-6);
  EXPECT_FALSE(by_pool.excludes_zero());
  // The pooled variance is tiny, so the pair's own decides, one-sided: t(0.95, 4) = 2.1318.
  const Interval by_own = paired_interval(pair, {1e-9, 40}, 0.05);
  EXPECT_NEAR(by_own.high - by_own.mean, 2.1318 * std::sqrt(pair.own.value / 5), 1e-6);
  EXPECT_TRUE(by_own.below_zero());
  // Without a pooled variance the interval is two-sided: t(0.975, 4) = 2.7764.
  const Interval alone = paired_interval(pair, {}, 0.05);
  EXPECT_NEAR(alone.high - alone.mean, 2.7764 * std::sqrt(pair.own.value / 5), 1e-6);
  // The variance between documents widens both.
  Paired on_few = pair;
  on_few.documents = {0.0001, 10};
  const Interval wide = paired_interval(on_few, {1e-9, 40}, 0.05);
  EXPECT_NEAR(wide.high - wide.mean, 2.2281 * 0.01, 1e-5) << "t(0.975, 10)";
}

TEST(Statistics, FewDifferencesSayNothing) {
  EXPECT_FALSE(std::isfinite(paired_interval({{-1.0}, {}, {}}, {0.01, 50}, 0.05).low));
  EXPECT_EQ(paired_interval({}, {0.01, 50}, 0.05).count, 0);
  const Interval same = paired_interval(paired_of({0.0, 0.0, 0.0}), {0, 6}, 0.05);
  EXPECT_EQ(same.low, 0);
  EXPECT_FALSE(same.excludes_zero());
}

// False claims that a design is better have a probability of at most the level, whatever the deviations of
// the two designs; at most half of it if they deviate as all do.
TEST(Statistics, NoDeviationBreaksTheInterval) {
  constexpr int kWorlds = 6000;
  constexpr double kLevel = 0.05;
  for (const int n : {3, 5, 12})
    for (const auto& [own, other] : {std::pair{1.0, 1.0}, {3.0, 1.0}, {1.0, 3.0}, {3.0, 3.0}}) {
      int better = 0;
      for (std::uint64_t world = 0; world < kWorlds; ++world) {
        Random random = Random(static_cast<std::uint64_t>(n)).split(world);
        std::vector<Cell> cells;
        std::vector<double> differences(static_cast<std::size_t>(n));
        for (std::int64_t row = 0; row < 7; ++row)
          for (std::int64_t column = 0; column < n; ++column) {
            const double value = 0.01 * (row == 0 ? own : row == 1 ? other : 1) * random.normal();
            cells.push_back({row, column, value});
            if (row < 2) differences[static_cast<std::size_t>(column)] += row == 0 ? value : -value;
          }
        better += paired_interval(paired_of(differences), residual_variance(cells), kLevel).below_zero();
      }
      const double share = static_cast<double>(better) / kWorlds,
                   bound = own == other && own == 1 ? kLevel / 2 : kLevel;
      EXPECT_LT(share, bound + 4 * std::sqrt(bound / kWorlds)) << n << " seeds, " << own << " and " << other;
    }
}

TEST(Statistics, PlannedSeedsSeeTheEffect) {
  constexpr int kWorlds = 4000;
  for (const double documents : {0.0, 2e-5})
    for (const double deviation : {0.004, 0.012, 0.021}) {
      const Precision known{
          .run = {.value = deviation * deviation, .freedom = 30}, .documents = documents, .own = 1};
      const int n = seeds_for(0.02, known, 0.03, 0.8, 3, 200);
      EXPECT_GE(power(0.02, n, known, 0.03), 0.8);
      if (n > 3) {
        EXPECT_LT(power(0.02, n - 2 - n / 8, known, 0.03), 0.8) << "not more than it takes";
      }
      EXPECT_LE(visible_effect(n, known, 0.03, 0.8), 0.02 + 1e-6);
      int seen = 0;
      for (std::uint64_t world = 0; world < kWorlds; ++world) {
        Random random = Random(static_cast<std::uint64_t>(n)).split(world);
        std::vector<double> x;
        const double of_documents = std::sqrt(documents) * random.normal();
        for (int k = 0; k < n; ++k)
          x.push_back(-0.02 + of_documents + deviation * std::sqrt(2.0) * random.normal());
        Paired pair = paired_of(x);
        pair.documents = {documents, 50};
        double chi = 0;
        for (int k = 0; k < 30; ++k) chi += std::pow(random.normal(), 2);
        seen += paired_interval(pair, {deviation * deviation * chi / 30, 30}, 0.03).below_zero();
      }
      EXPECT_GT(seen, kWorlds * 78 / 100) << deviation << " on " << n << " seeds";
    }
}

TEST(Statistics, MeanIntervalIsThatOfStudent) {
  const Interval ci = mean_interval(std::vector<double>{1.0, 2.0, 3.0});  // standard deviation 1, t = 4.3027
  EXPECT_NEAR(ci.mean, 2, 1e-12);
  EXPECT_NEAR(ci.high - 2, 4.3027 / std::sqrt(3.0), 1e-4);
}

}  // namespace
}  // namespace gabbro::evolve
