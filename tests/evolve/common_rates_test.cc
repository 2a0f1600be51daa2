// Tests of the searches for learning rates of designs that are compared at equal standing.
#include "evolve/common_rates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

namespace gabbro::evolve {
namespace {

constexpr std::uint64_t kSeed = 1000;
// Returns the score of a design at a rate; infinite: none.
using Bits = std::function<double(std::size_t design, double rate)>;

// Runs the searches to their end, with scores by `bits`.
struct Searched {
  std::vector<RateScores> scores;
  int runs = 0;
};
Searched searched(int designs, int seeds, const Bits& bits) {
  Searched out{std::vector<RateScores>(static_cast<std::size_t>(designs)), 0};
  while (const auto next = next_rate_run(out.scores, 1, kSeed, seeds)) {
    EXPECT_FALSE(out.scores[next->design][next->seed].contains(next->rate)) << "no run is repeated";
    out.scores[next->design][next->seed][next->rate] = bits(next->design, next->rate);
    ++out.runs;
    if (out.runs > 1000) break;
  }
  const RateRuns bounds = rate_runs(designs, seeds);
  EXPECT_GE(out.runs, bounds.least);
  EXPECT_LE(out.runs, bounds.most);
  return out;
}

double parabola(double rate, double best) { return 2 + 0.02 * std::pow(std::log2(rate / best), 2); }

TEST(CommonRates, EachDesignIsTriedAtTheRatesOfTheOthers) {
  const Searched s =
      searched(2, 3, [](std::size_t design, double rate) { return parabola(rate, design == 0 ? 1 : 8); });
  for (const RateScores& scores : s.scores) {
    std::set<double> rates;
    for (const auto& [rate, bits] : scores.at(kSeed)) rates.insert(rate);
    EXPECT_EQ(rates, (std::set<double>{0.5, 1, 2, 4, 8, 16}));
    EXPECT_EQ(scores.size(), 1U) << "three seeds have no further ones";
  }
  EXPECT_EQ(compared_rates(s.scores).size(), 2U);
  EXPECT_LT(compared_rates(s.scores)[0], 2);
  EXPECT_GT(compared_rates(s.scores)[1], 4);
}

TEST(CommonRates, TheOrderOfDesignsDoesNotMatter) {
  const auto rates = [](bool swapped) {
    const Searched s = searched(2, 8, [=](std::size_t design, double rate) {
      return parabola(rate, (design == 0) == swapped ? 0.25 : 1);
    });
    std::vector<double> out = compared_rates(s.scores);
    if (swapped) std::swap(out[0], out[1]);
    out.push_back(s.runs);
    return out;
  };
  EXPECT_EQ(rates(false), rates(true));
}

TEST(CommonRates, FurtherSeedsAreForDesignsThatAreNearAnother) {
  const Searched s = searched(
      3, 8, [](std::size_t design, double rate) { return parabola(rate, 1) + (design == 1 ? 0.2 : 0); });
  EXPECT_EQ(s.scores[0].at(kSeed + 1).size(), std::size_t{kRatesAround});
  EXPECT_EQ(s.scores[1].size(), 1U);
  EXPECT_EQ(s.scores[2].at(kSeed + 1).size(), std::size_t{kRatesAround});
  EXPECT_EQ(searched(1, 8, [](std::size_t, double rate) { return parabola(rate, 1); }).runs, kLeastRates)
      << "a single design is compared with none";
}

TEST(CommonRates, SearchesEndWithoutAScore) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const Searched s =
      searched(2, 8, [](std::size_t design, double rate) { return design == 0 ? parabola(rate, 1) : kNone; });
  EXPECT_TRUE(has_score(s.scores[0]));
  EXPECT_FALSE(has_score(s.scores[1]));
  EXPECT_EQ(s.runs, 2 * kMostComparedRates);
}

// Runs at rates that are much too low are refused as worse than bigrams, and so have no score.
TEST(CommonRates, RatesWithoutAScoreLieBeyondTheBest) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(is_at_edge({{1, 2}, {2, 3}, {4, 4}}));
  EXPECT_TRUE(is_at_edge({{1, 4}, {2, 3}, {4, 2}}));
  EXPECT_FALSE(is_at_edge({{0.5, kNone}, {1, 2}, {2, 3}, {4, 4}}));
  EXPECT_FALSE(is_at_edge({{1, 4}, {2, 3}, {4, 2}, {8, kNone}}));
  EXPECT_FALSE(is_at_edge({{1, kNone}, {2, kNone}, {4, kNone}})) << "no rate is the best";
}

TEST(CommonRates, ImpossibleValuesOfAStudyAreLeftOut) {
  record::ScaleStudy study;
  study.designs = {"A"};
  const auto add = [&](std::int64_t design, double rate, record::Status status, double bits) {
    record::ScaleRun r{.design = design};
    r.seed = kSeed, r.rate = rate, r.status = status, r.bits = bits;
    study.searches.push_back(std::move(r));
  };
  using record::Status;
  add(0, 1, Status::kDone, 2), add(0, 2, Status::kFailed, 2), add(0, 4, Status::kDone, std::nan(""));
  add(0, 0, Status::kDone, 2), add(1, 1, Status::kDone, 2), add(-1, 1, Status::kDone, 2);
  constexpr double kNone = std::numeric_limits<double>::infinity();
  EXPECT_EQ(rate_scores(study), (std::vector<RateScores>{{{kSeed, {{1, 2.0}, {2, kNone}, {4, kNone}}}}}));
}

}  // namespace
}  // namespace gabbro::evolve
