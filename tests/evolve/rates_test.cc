// Tests of the search for learning rates: what it tries, what it selects, and that other runs do not count.
#include "evolve/rates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "evolve/comparison.h"
#include "small_campaign.h"

namespace gabbro::evolve {

using record::Purpose;
namespace {

constexpr std::uint64_t kSeed = 1;

SearchSettings tuned() {
  SearchSettings s = small_settings();
  s.tune_rates = true;
  return s;
}

// Runs the search for a design's rate to its end and returns the factors tried. `bits` gives the score of a
// factor; 0: no score.
template <class F>
std::vector<double> search(SmallCampaign& c, std::int64_t design, int rung, const F& bits) {
  std::vector<double> out;
  while (const auto run = next_rate_run(c.population, design, rung, kSeed)) {
    EXPECT_EQ(run->seed, kSeed);
    EXPECT_EQ(run->purpose, Purpose::kRate);
    out.push_back(run->rate);
    const double score = bits(run->rate);
    c.run(design, rung, kSeed, score, Purpose::kRate,
          score > 0 ? record::Status::kDone : record::Status::kFailed, run->rate);
  }
  return out;
}

// Returns the fit to scores on one seed.
double fit(const std::map<double, double>& scores, std::optional<double> expected = {}) {
  return fitted_rate({{kSeed, scores}}, expected);
}

double parabola(double rate, double best) { return 2 + 0.1 * std::pow(std::log2(rate / best), 2); }

TEST(Rates, ThreeAreTriedAndTheBestIsTaken) {
  SmallCampaign c(tuned());
  const auto d = c.design("baseline", "[Block, RMSNorm]");
  EXPECT_EQ(search(c, d, 0, [](double r) { return parabola(r, 1); }), (std::vector<double>{1, 0.5, 2}));
  EXPECT_EQ(c.population.rate_of(c.population.individual(d), 0), 1);
  EXPECT_EQ(c.population.rate_of(c.population.individual(d), 1), 1) << "the next rung begins there";
}

TEST(Rates, GoesOnWhileTheBestLiesAtAnEdge) {
  SmallCampaign c(tuned());
  const auto d = c.design("baseline", "[Block, RMSNorm]");
  EXPECT_EQ(search(c, d, 0, [](double r) { return parabola(r, 4); }), (std::vector<double>{1, 0.5, 2, 4, 8}));
  EXPECT_EQ(c.population.rate_of(c.population.individual(d), 0), 4);
  const auto e = c.design("baseline", "[Block, RMSNorm]");
  EXPECT_EQ(search(c, e, 0, [](double r) { return parabola(r, 1.0 / 64); }).size(), std::size_t{kMostRates})
      << "the maximum, although the best still lies at the edge";
  EXPECT_EQ(search(c, d, 1, [](double r) { return parabola(r, 4); }), (std::vector<double>{4, 2, 8}))
      << "around the rate of the rung below";
}

TEST(Rates, ADivergingRateDoesNotCountAgainstTheDesign) {
  SmallCampaign c(tuned());
  const auto d = c.design("baseline", "[Block, RMSNorm]");
  search(c, d, 0, [](double r) { return r >= 1 ? 0.0 : 2 + r; });
  const Standing s = c.population.standing(c.population.individual(d), 0);
  EXPECT_EQ(s.unscored, 0);
  EXPECT_EQ(s.done, 1);
  EXPECT_EQ(c.population.rate_of(c.population.individual(d), 0), 0.125);
  // A design without a score at any rate counts as one run without a score, not as five.
  const auto e = c.design("baseline", "[Block, RMSNorm]");
  EXPECT_EQ(search(c, e, 0, [](double) { return 0.0; }), (std::vector<double>{1, 0.5, 2, 0.25, 4}))
      << "without a score, smaller and larger rates are tried";
  EXPECT_EQ(c.population.standing(c.population.individual(e), 0).unscored, 1);
}

TEST(Rates, OnlyRunsAtTheChosenRateCount) {
  SmallCampaign c(tuned());
  const auto d = c.design("baseline", "[Block, RMSNorm]"), other = c.design("baseline", "[Block, RMSNorm]");
  search(c, d, 0, [](double r) { return parabola(r, 2); });
  c.run(other, 0, kSeed, 2.5);
  EXPECT_EQ(c.population.standing(c.population.individual(d), 0).bits, 2);
  EXPECT_EQ(c.population.differences(d, other, 0, RunKind::kSearch), std::vector<double>{-0.5});
  EXPECT_EQ(c.population.best_baseline(0), d);
  EXPECT_EQ(run_variance(c.population, 0).freedom, 0) << "runs at different rates are not repetitions";
  const auto tried = tried_rates(c.population, d, 0);
  ASSERT_EQ(tried.size(), 4U);  // 0.5, 1, 2 and 4
  for (const TriedRate& t : tried) EXPECT_EQ(t.taken, t.factor == 2);
}

// The comparison uses the rate at which a parabola through all scores of the search is lowest.
TEST(Rates, TheComparedRateIsFittedToTheSearch) {
  EXPECT_EQ(fit({{1, 2.5}}), 1);
  EXPECT_EQ(fit({{1, 2.5}, {2, 2.4}}), 2);
  for (const double best : {1.0, std::exp2(0.25), std::exp2(-0.5)}) {
    std::map<double, double> scores;
    for (const double rate : {0.5, 1.0, 2.0}) scores[rate] = parabola(rate, best);
    EXPECT_NEAR(fit(scores), best, 1e-12);
  }
  EXPECT_EQ(fit({{0.5, 2.5}, {1, 2.45}, {2, 2.3}}), 2) << "no minimum: the best rate";
  EXPECT_EQ(fit({{0.5, 2.5}, {1, 2.4}, {2, 2.35}}), 2) << "the lowest point lies beyond the rates tried";
  EXPECT_EQ(fit({{0.5, 2.4}, {1, 2.5}, {2, 2.41}}), 0.5) << "no minimum: the best rate";
  EXPECT_EQ(fit({{0.5, 2.5}, {1, 2.4}, {2, INFINITY}}), 1) << "two scores give no parabola: the best rate";
  // A rate at which a design all but diverges does not bend the curve elsewhere.
  std::map<double, double> steep{{0.5, 2.51}, {1, 2.5}, {2, 2.51}};
  EXPECT_EQ(fit(steep), 1);
  steep[4] = 4;
  EXPECT_EQ(fit(steep), 1);
  SmallCampaign c(tuned());
  const auto d = c.design("baseline", "[Block, RMSNorm]");
  search(c, d, 0, [](double r) { return parabola(r, std::exp2(0.25)); });
  EXPECT_EQ(c.population.rate_of(c.population.individual(d), 0), 1) << "the search takes a rate that was run";
  EXPECT_NEAR(compared_rate(c.population, {0, d}, d), std::exp2(0.25), 1e-12);
}

// The lowest score of single runs is often due to luck. A leader is selected by its score, so a baseline that
// is trained at a wrong rate loses to it.
TEST(Rates, AFittedRateCostsLessThanThatOfTheLuckiestRun) {
  Random random(5);
  constexpr double kDeviation = 0.01, kCurve = 0.01;  // a factor of two costs one deviation of a run
  double lowest = 0, fitted = 0;
  for (int k = 0; k < 2000; ++k) {
    const double optimum = random.uniform(-1.5, 1.5);
    const auto cost = [&](double rate) { return kCurve * std::pow(std::log2(rate) - optimum, 2); };
    std::map<double, double> scores;
    while (const auto rate = next_rate(scores, 1))
      scores[*rate] = 2.5 + cost(*rate) + kDeviation * random.normal();
    lowest += cost(std::min_element(scores.begin(), scores.end(), [](const auto& a, const auto& b) {
                     return a.second < b.second;
                   })->first);
    fitted += cost(fit(scores));
  }
  EXPECT_LT(fitted, 0.5 * lowest);
}

// If the best rate lies at the edge of a search, a better one may lie beyond it, so nothing is claimed.
TEST(Rates, TheEdgeOfASearchIsRecognised) {
  SmallCampaign c(tuned());
  const auto at_edge = [&](double best, double diverges = 1e9) {
    const auto d = c.design("baseline", "[Block, RMSNorm]");
    search(c, d, 0, [&](double r) { return r >= diverges ? 0.0 : parabola(r, best); });
    return is_rate_at_edge(c.population, c.population.individual(d), 0);
  };
  EXPECT_FALSE(at_edge(1));
  EXPECT_FALSE(at_edge(4));
  EXPECT_TRUE(at_edge(32));
  EXPECT_TRUE(at_edge(1.0 / 64));
  EXPECT_FALSE(at_edge(32, 3)) << "beyond the highest one with a score lies one without";
  const auto d = c.design("baseline", "[Block, RMSNorm]");
  c.run(d, 0, kSeed, 2.5);
  EXPECT_FALSE(is_rate_at_edge(c.population, c.population.individual(d), 0)) << "there was no search";
}

// Before a comparison, the leader and all designs that it is compared with get the same search at its rung.
TEST(Rates, LeaderBaselinesAndControlsGetTheSameSearch) {
  SmallCampaign c(tuned());
  const auto base = c.design("baseline", "[Block, RMSNorm]"),
             control = c.design("control", "[Block, RMSNorm]"),
             mine = c.design("adaptive", "[Block, RMSNorm]"),
             loser = c.design("adaptive", "[Block, RMSNorm]");
  for (const auto d : {base, control, mine}) c.run(d, 0, kSeed, d == mine ? 1.9 : 2.0);
  c.run(loser, 0, kSeed, 2.4);
  for (const int rung : {0, 1}) {
    const RateRuns left = rate_runs_left(c.population, rung, kSeed, 3);
    // The leader needs at most kMostRates, of which it has had one. The other two each need kLeastRates and
    // one at the leader's rate, at most kMostComparedRates; at the first rung each has had one.
    EXPECT_EQ(left.least, 4 + 2 * (4 - (rung == 0)));
    EXPECT_EQ(left.most, 4 + 2 * (8 - (rung == 0)));
  }
  EXPECT_EQ(rate_runs_left(c.population, 0, kSeed, 7).most, 4 + 2 * 7 + 3 * 3)
      << "with one further seed: kRatesAround runs of three designs";
  std::map<std::int64_t, std::set<double>> tried;
  bool settled = false;
  while (const auto run = next_rate_run(c.population, leader(c.population), kSeed, 3, settled)) {
    EXPECT_FALSE(settled);
    tried[run->design].insert(run->rate);
    c.run(run->design, 0, kSeed, 3, Purpose::kRate, record::Status::kDone, run->rate);
  }
  EXPECT_TRUE(settled);
  EXPECT_EQ(tried.size(), 3U);
  for (const auto& [design, rates] : tried) EXPECT_EQ(rates, (std::set<double>{0.5, 2})) << design;
  SmallCampaign off;
  const auto d = off.design("baseline", "[Block, RMSNorm]");
  EXPECT_FALSE(next_rate_run(off.population, d, 0, kSeed)) << "where the preset has one rate for all";
}

// Runs the searches before a comparison on `seeds` seeds and returns what they ran. `bits` gives the score of
// a design at a factor.
template <class F>
std::vector<RunRequest> search_before(SmallCampaign& c, int seeds, const F& bits) {
  std::vector<RunRequest> out;
  bool settled = false;
  while (const auto run = next_rate_run(c.population, leader(c.population), kSeed, seeds, settled)) {
    EXPECT_FALSE(settled);
    EXPECT_EQ(run->purpose, Purpose::kRate);
    EXPECT_LT(out.size(), 200U);
    if (out.size() >= 200) break;
    out.push_back(*run);
    c.run(run->design, run->rung, run->seed, bits(run->design, run->rate), Purpose::kRate,
          record::Status::kDone, run->rate);
  }
  EXPECT_TRUE(settled);
  return out;
}

// The preset's rate may be wrong by more than a search covers; the leader's was found by a whole campaign.
TEST(Rates, KnownDesignsAreTriedAtTheLeadersRate) {
  constexpr double kRight = 16;
  SmallCampaign c(tuned());
  const auto base = c.design("baseline", "[Block, RMSNorm]"), mine = c.design("adaptive", "[Block, RMSNorm]");
  const auto bits = [](std::int64_t, double rate) {
    return 2 + 0.01 * std::pow(std::log2(rate / kRight), 2);
  };
  for (const double rate : {0.125, 0.25, 0.5})  // its best rate lies at an edge
    c.run(base, 0, kSeed, bits(base, 1 / rate), Purpose::kRate, record::Status::kDone, 1 / rate);
  for (const double rate : {1.0, 0.5})
    c.run(base, 0, kSeed, bits(base, rate), Purpose::kRate, record::Status::kDone, rate);
  EXPECT_TRUE(is_rate_at_edge(c.population, c.population.individual(base), 0));
  c.run(mine, 0, kSeed, bits(mine, kRight), Purpose::kRung, record::Status::kDone, kRight);
  std::set<double> tried;
  for (const RunRequest& run : search_before(c, 3, bits))
    if (run.design == base) tried.insert(run.rate);
  EXPECT_EQ(tried, (std::set<double>{kRight, 2 * kRight})) << "and beyond, since it is the best";
  EXPECT_FALSE(is_rate_at_edge(c.population, c.population.individual(base), 0));
  EXPECT_EQ(compared_rate(c.population, leader(c.population), base), kRight);
}

// Where scores say little, designs are compared at the leader's rate; where they say much, at their own.
TEST(Rates, StayNearTheLeadersUnlessScoresSpeakAgainstIt) {
  const auto at = [](double curve, double expected) {
    std::map<double, double> scores;
    for (const double rate : {0.5, 1.0, 2.0, 4.0}) scores[rate] = 2 + curve * std::pow(std::log2(rate), 2);
    return fit(scores, expected);
  };
  EXPECT_EQ(at(0.1, 2), 1);
  EXPECT_GE(at(0.001, 4), 3);  // 4 less a quarter octave at most
  EXPECT_EQ(at(0, 2), 2);
  EXPECT_EQ(at(-0.1, 2), 2) << "the parabola has no minimum";
  EXPECT_EQ(at(0, 64), 4) << "within what has a score";
}

// One seed's scores may all lie above another's; that says nothing about a rate.
TEST(Rates, EachSeedHasALevelOfItsOwn) {
  RateScores scores;
  for (const double rate : {0.5, 1.0, 2.0}) scores[1][rate] = parabola(rate, std::exp2(0.5));
  for (const double rate : {1.0, 1.5, 2.0}) scores[2][rate] = 0.3 + parabola(rate, std::exp2(0.5));
  EXPECT_NEAR(fitted_rate(scores), std::exp2(0.5), 1e-12);
  scores[3][4] = 1;  // a single run
  EXPECT_NEAR(fitted_rate(scores), std::exp2(0.5), 1e-12);
}

TEST(Rates, FurtherSeedsTryThreeAroundTheFitAndCountForNothingElse) {
  SmallCampaign c(tuned());
  const auto base = c.design("baseline", "[Block, RMSNorm]"), far = c.design("control", "[Block, RMSNorm]"),
             mine = c.design("adaptive", "[Block, RMSNorm]");
  const auto bits = [&](std::int64_t design, double rate) {
    return parabola(rate, 1) + (design == far ? 0.2 : 0);
  };
  for (const auto d : {base, far, mine}) c.run(d, 0, kSeed, bits(d, 1));
  EXPECT_EQ(further_rate_seeds(3), 0);
  EXPECT_EQ(further_rate_seeds(28), 4);  // one for seven, rounded
  int runs = 0;
  std::set<std::uint64_t> seeds;
  std::set<std::int64_t> designs;
  for (const RunRequest& run : search_before(c, 14, bits))
    if (run.seed != kSeed) ++runs, seeds.insert(run.seed), designs.insert(run.design);
  EXPECT_EQ(seeds, (std::set<std::uint64_t>{kSeed + 1, kSeed + 2}));
  EXPECT_EQ(designs, (std::set<std::int64_t>{base, mine})) << "the control is behind by over kNearScores";
  EXPECT_EQ(runs, 2 * 2 * 3);
  EXPECT_EQ(further_rates(c.population, mine, 0).runs, 6);
  EXPECT_EQ(further_rates(c.population, mine, 0).seeds, 2);
  for (const auto d : {base, mine}) {
    EXPECT_EQ(c.population.standing(c.population.individual(d), 0).done, 1);
    EXPECT_EQ(c.population.scored(d, 0, kSeed + 1), nullptr);
    EXPECT_EQ(tried_rates(c.population, d, 0).size(), 3U);
  }
  EXPECT_EQ(run_variance(c.population, 0).freedom, 0);
}

// The leader's search may find a rate that is better on the first seed only. That does not cost it its place.
TEST(Rates, NoLeaderLosesItsPlaceByItsOwnSearch) {
  SearchSettings s = tuned();
  s.rungs.resize(1);
  s.rungs[0].seeds = 2;
  SmallCampaign c(s);
  const auto base = c.design("baseline", "[Block, RMSNorm]"), mine = c.design("adaptive", "[Block, RMSNorm]"),
             second = c.design("adaptive", "[Block, RMSNorm]");
  for (std::uint64_t k = 0; k < 2; ++k) {  // texts on the second seed are easier
    const double level = k == 0 ? 2.2 : 1.8;
    c.run(base, 0, kSeed + k, level + 0.2), c.run(mine, 0, kSeed + k, level),
        c.run(second, 0, kSeed + k, level + 0.05);
  }
  ASSERT_EQ(leader(c.population).design, mine);
  search_before(c, 3, [](std::int64_t, double rate) { return rate == 2 ? 2.15 : 2.5; });
  EXPECT_EQ(c.population.rate_of(c.population.individual(mine), 0), 2) << "better on the first seed";
  EXPECT_EQ(leader(c.population).design, mine);
  c.run(mine, 0, kSeed + 1, 2.6, Purpose::kReplicate, record::Status::kDone, 2);
  EXPECT_EQ(leader(c.population).design, mine) << "its first rate is still the better one";
  c.run(second, 0, kSeed, 1.9, Purpose::kRate, record::Status::kDone, 2);
  c.run(second, 0, kSeed + 1, 1.7, Purpose::kReplicate, record::Status::kDone, 2);
  EXPECT_EQ(leader(c.population).design, second);
}

// Once a comparison has begun, later searches change neither its rates nor its verdict.
TEST(Rates, StayFixedOnceAComparisonHasBegun) {
  SmallCampaign c(tuned());
  const auto base = c.design("baseline", "[Block, RMSNorm]"), mine = c.design("adaptive", "[Block, RMSNorm]");
  for (const auto d : {base, mine}) c.run(d, 0, kSeed, parabola(1, 1));
  search_before(c, 3, [](std::int64_t, double rate) { return parabola(rate, 1); });
  const Leader best = leader(c.population);
  ASSERT_TRUE(c.population.apply(plan_comparison(c.population, kSeed, best, 3)));
  const record::ComparisonBegun begun = c.population.comparisons().back();
  for (int k = 0; k < begun.seeds; ++k)
    for (const auto d : {base, mine})
      c.run(d, 0, begun.seed + static_cast<std::uint64_t>(k), 2, Purpose::kFinal);
  ASSERT_EQ(outcome_of(c.population, begun).at_edge, 0);
  const double rate = compared_rate(c.population, best, base);
  for (const double later : {4.0, 8.0, 16.0})
    c.run(base, 0, kSeed, parabola(1, 1) - 0.1 * later, Purpose::kRate, record::Status::kDone, later);
  EXPECT_TRUE(is_rate_at_edge(c.population, c.population.individual(base), 0));
  EXPECT_EQ(compared_rate(c.population, best, base), rate);
  EXPECT_EQ(outcome_of(c.population, begun).at_edge, 0);
}

TEST(Rates, AreInheritedAndVaried) {
  SmallCampaign c(tuned());
  const auto parent = c.design("baseline", "[Block, RMSNorm]");
  search(c, parent, 0, [](double r) { return parabola(r, 4); });
  int same = 0;
  double least = 100, most = 0;
  for (std::uint64_t k = 0; k < 200; ++k) {
    const double rate = inherited_rate(c.population, parent, Random(k));
    EXPECT_EQ(rate, inherited_rate(c.population, parent, Random(k)));
    same += rate == 4;
    least = std::min(least, rate), most = std::max(most, rate);
  }
  EXPECT_NEAR(same, 100, 30);  // varied with probability 1/2
  EXPECT_EQ(least, 2);
  EXPECT_EQ(most, 8);
}

TEST(Rates, ControlsAreNeitherCandidatesNorBaselines) {
  SmallCampaign c(tuned());
  const auto base = c.design("baseline", "[Block, RMSNorm]"),
             control = c.design("control", "[Block, RMSNorm]");
  c.run(base, 0, kSeed, 2.1);
  c.run(control, 0, kSeed, 2.0);
  EXPECT_EQ(c.population.best_baseline(0), base);
  EXPECT_FALSE(is_candidate(c.population.individual(control)));
  EXPECT_EQ(compared_with(c.population), (std::vector<std::int64_t>{base, control}));
  EXPECT_EQ(leader(c.population).rung, -1);
}

}  // namespace
}  // namespace gabbro::evolve
