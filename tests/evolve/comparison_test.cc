// Tests of the final comparison: its plan, its claims and the runs it names, and simulations of whole
// campaigns. A leader is ahead if it is significantly better than every design that could be trained. Its
// lead stands if unread text confirms it too and no check has to be repeated. It claims a win if the controls
// also show that the rung can judge: a control is a design that sees few tokens.
#include "evolve/comparison.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <utility>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <set>

#include "base/random.h"
#include "small_campaign.h"

namespace gabbro::evolve {

using record::Purpose;
using record::Status;
namespace {

constexpr double kAll = std::numeric_limits<double>::infinity();  // the budget affords any number of seeds
const char* const kStack = "[Block, RMSNorm]";

SearchSettings one_rung(int final_seeds = 24) {
  SearchSettings s = small_settings();
  s.rungs = {{.name = "only", .params = 20'000, .tokens = 1000, .promote_fraction = 0.5, .seeds = 2}};
  s.final_seeds = final_seeds;
  return s;
}

constexpr int kOnlyRung = 0;
constexpr std::uint64_t kFirstSeed = 1;

// A campaign with baselines, four weak designs and a leading one, each with two runs of the search. Scores
// vary with standard deviation `deviation`.
class Race : public SmallCampaign {
 public:
  explicit Race(int baselines = 2, const SearchSettings& settings = one_rung(), double deviation = 0.01)
      : SmallCampaign(settings), deviation_(deviation), random_(1) {
    for (int k = 0; k < baselines; ++k) known.push_back(design("baseline", kStack));
    for (int k = 0; k < 4; ++k) design("adaptive", kStack);
    leading = design("adaptive", kStack);
    for (const Individual& i : population.individuals())
      for (std::uint64_t seed = 1; seed <= 2; ++seed)
        run(i.created.id, 0, seed, score(i.created.id), is_baseline(i) ? Purpose::kBaseline : Purpose::kRung);
  }
  double score(std::int64_t design) {
    const double mean = design == leading                            ? 2.5
                        : is_baseline(population.individual(design)) ? 2.7 + 0.1 * static_cast<double>(design)
                                                                     : 2.9;
    return mean + deviation_ * random_.normal();
  }
  void begin_comparison(double affordable = kAll) {
    ASSERT_TRUE(population.apply(plan_comparison(population, kFirstSeed, leader(population), affordable)));
  }
  [[nodiscard]] ComparisonOutcome outcome() const {
    return outcome_of(population, population.comparisons().back());
  }
  // Runs everything that the ladder wants; `status` decides how a run ends. Returns the number of runs.
  int finish(const std::function<Status(const RunRequest&)>& status = {}) {
    int runs = 0;
    while (auto next = next_run(population, kFirstSeed, Phase::kFinal)) {
      EXPECT_LT(++runs, 500);
      if (runs >= 500) break;
      run(next->design, next->rung, next->seed, score(next->design), next->purpose,
          status ? status(*next) : Status::kDone);
    }
    return runs;
  }

  std::vector<std::int64_t> known;
  std::int64_t leading = 0;

 private:
  double deviation_;
  Random random_;
};

// Begins the comparison of the leader and gives every design its runs, by `run(design, seed, purpose)`.
template <class Run>
record::ComparisonBegun compare_on_fresh_seeds(SmallCampaign& c, const std::vector<std::int64_t>& designs,
                                               const Run& run) {
  EXPECT_TRUE(c.population.apply(plan_comparison(c.population, kFirstSeed, leader(c.population), kAll)));
  const record::ComparisonBegun begun = c.population.comparisons().back();
  for (int k = 0; k < begun.seeds; ++k)
    for (const std::int64_t d : designs) run(d, begun.seed + static_cast<std::uint64_t>(k), Purpose::kFinal);
  return begun;
}

TEST(Comparison, LevelsSumToTheErrorRateOfACampaign) {
  double sum = 0;
  for (int k = 1; k <= 100'000; ++k) sum += level_of(k);
  EXPECT_LE(sum, kFamilywiseErrorRate);
  EXPECT_NEAR(sum, kFamilywiseErrorRate, 1e-5);
  EXPECT_GT(level_of(1), kFamilywiseErrorRate / 2);
}

TEST(Comparison, SeedsAreFreshAndTheirNumberIsFixedBefore) {
  Race c;
  EXPECT_FALSE(next_run(c.population, kFirstSeed, Phase::kFinal)) << "it has not begun";
  c.begin_comparison();
  const record::ComparisonBegun begun = c.population.comparisons().back();
  EXPECT_GE(begun.seed, 1 + kSeedBlock);
  EXPECT_EQ((begun.seed - 1) % kSeedBlock, 0U);
  EXPECT_DOUBLE_EQ(begun.level, level_of(1));
  EXPECT_GE(begun.seeds, kLeastSeeds);
  for (int runs = 0;; ++runs) {
    const ComparisonOutcome o = c.outcome();
    const auto next = next_run(c.population, kFirstSeed, Phase::kFinal);
    ASSERT_EQ(o.complete, !next);
    EXPECT_EQ(o.ended, runs / 3) << "three designs";
    for (const ComparisonRow& row : o.rows)
      EXPECT_EQ(std::isfinite(row.difference.low), o.complete) << "nothing is decided before";
    EXPECT_EQ(o.ahead, o.complete);
    if (!next) break;
    EXPECT_EQ(next->seed, begun.seed + static_cast<std::uint64_t>(runs / 3)) << "seed by seed";
    c.run(next->design, 0, next->seed, c.score(next->design), Purpose::kFinal);
  }
  EXPECT_EQ(c.outcome().rows.size(), 2U);
  EXPECT_EQ(c.outcome().rows[0].design, c.known[0]) << "the better one first";
  EXPECT_TRUE(c.outcome().stands());
  EXPECT_EQ(search_interval(c.population, c.leading, c.known[0], 0).count, 2)
      << "the runs of the search are no part of it";
}

TEST(Comparison, EveryNewLeaderGetsSeedsAndALevelOfItsOwn) {
  Race c;
  c.begin_comparison();
  c.finish();
  std::set<std::uint64_t> seeds{c.population.comparisons().back().seed};
  for (int k = 2; k <= 4; ++k) {
    const std::int64_t better = c.design("adaptive", kStack);
    for (std::uint64_t seed = 1; seed <= 2; ++seed) c.run(better, 0, seed, 2.5 - 0.1 * k);
    EXPECT_EQ(comparison_of(c.population, leader(c.population)), nullptr);
    EXPECT_FALSE(next_run(c.population, kFirstSeed, Phase::kFinal)) << "the one before is given up";
    c.begin_comparison();
    EXPECT_EQ(c.population.comparisons().back().design, better);
    EXPECT_TRUE(seeds.insert(c.population.comparisons().back().seed).second);
    EXPECT_DOUBLE_EQ(c.population.comparisons().back().level, level_of(k));
  }
  // A seed counts as used if any run has it.
  Race used;
  const std::uint64_t first =
      plan_comparison(used.population, kFirstSeed, leader(used.population), kAll).seed;
  used.run(used.known[0], 0, first + 7, 2.8, Purpose::kFinal);
  EXPECT_GE(plan_comparison(used.population, kFirstSeed, leader(used.population), kAll).seed,
            first + kSeedBlock);
}

// Another campaign with the same first seed may have the same leader, or a part of it. Its comparison uses
// new seeds, since the others have selected the design.
TEST(Comparison, SeedsDependOnTheLeader) {
  std::set<std::uint64_t> seeds;
  for (int k = 0; k < 20; ++k) {
    SmallCampaign c(one_rung());
    const std::int64_t baseline = c.design("baseline", kStack);
    for (int i = 0; i < k; ++i) c.design("adaptive", kStack);
    const std::int64_t leads = c.design("adaptive", kStack);
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      c.run(baseline, 0, seed, 3.0, Purpose::kBaseline);
      c.run(leads, 0, seed, 2.5);
    }
    const record::ComparisonBegun begun =
        plan_comparison(c.population, kFirstSeed, leader(c.population), kAll);
    EXPECT_EQ(begun.seed, plan_comparison(c.population, kFirstSeed, leader(c.population), kAll).seed);
    EXPECT_TRUE(seeds.insert(begun.seed).second) << k;
    // Nobody who writes a program can know the seeds: they depend on the campaign's secret too.
    for (int secret = 1; secret <= 20; ++secret)
      EXPECT_TRUE(seeds
                      .insert(plan_comparison(c.population, kFirstSeed, leader(c.population), kAll,
                                              std::to_string(secret))
                                  .seed)
                      .second);
    // Campaigns of neighbouring seeds share no seeds, so that one campaign can confirm the result of another.
    for (const std::uint64_t other : {2U, 3U, 4U}) {
      const std::uint64_t far = plan_comparison(c.population, other, leader(c.population), kAll).seed;
      EXPECT_GT(std::max(far, begun.seed) - std::min(far, begun.seed), kSeedBlock);
    }
  }
}

// A design with too many failed runs counts as untrained, but may still be better on the remaining seeds.
TEST(Comparison, NothingIsClaimedIfAFailedBaselineWasBetterOnOtherSeeds) {
  for (const double bits : {2.2, 2.8}) {
    Race c(3, one_rung(), 0.004);
    c.begin_comparison();
    const record::ComparisonBegun begun = c.population.comparisons().back();
    while (const auto run = next_run(c.population, kFirstSeed, Phase::kFinal)) {
      const bool other = run->design == c.known[1];
      c.run(run->design, 0, run->seed, other ? bits : c.score(run->design), run->purpose,
            other && run->seed >= begun.seed + 2 ? Status::kRefused : Status::kDone);  // one score too few
    }
    const ComparisonOutcome o = c.outcome();
    ASSERT_TRUE(o.complete);
    EXPECT_EQ(o.contradicted, bits < 2.5);
    EXPECT_EQ(o.stands(), bits > 2.5);
  }
}

// Held-out documents are no evidence if the program may contain them. The leader must also lead on text that
// no program can contain.
TEST(Comparison, ALeadOnHeldOutTextAloneDoesNotCount) {
  struct Case {
    // Score of the leader on unread text; the baselines have 3.0 there, and the lead is 0.08; 0: not scored.
    double unread;
    bool unconfirmed;
  };
  constexpr double kNatsPerBit = 2;  // any ratio of losses to bits per byte
  for (const Case& x :               // at least half of the lead has to show on unread text
       {Case{2.92, false}, Case{2.95, false}, Case{2.98, true}, Case{3.4, true}, Case{0, false}}) {
    SmallCampaign c(one_rung());
    const std::int64_t baseline = c.design("baseline", kStack), leads = c.design("adaptive", kStack);
    const auto run = [&](std::int64_t d, std::uint64_t seed, Purpose purpose) {
      record::TrialResult r;
      r.status = Status::kDone;
      r.bits_per_byte = (d == leads ? 2.62 : 2.7) + 0.001 * static_cast<double>(seed % 3);
      r.valid_loss = kNatsPerBit * r.bits_per_byte;
      r.documents.assign(3, {r.bits_per_byte, 1000});
      const double unread = d == leads || x.unread == 0 ? x.unread : 3.0;
      r.unread_tokens = unread > 0 ? 1000 : 0;
      r.unread_loss = kNatsPerBit * unread;
      c.end(c.begin(d, 0, seed, purpose), r);
    };
    for (std::uint64_t seed = 1; seed <= 2; ++seed)
      run(baseline, seed, Purpose::kBaseline), run(leads, seed, Purpose::kRung);
    const record::ComparisonBegun begun = compare_on_fresh_seeds(c, {baseline, leads}, run);
    const ComparisonOutcome o = outcome_of(c.population, begun);
    EXPECT_TRUE(o.ahead) << x.unread;
    EXPECT_EQ(o.unconfirmed, x.unconfirmed) << x.unread;
    EXPECT_EQ(o.stands(), !x.unconfirmed) << x.unread;
    EXPECT_EQ(o.unread.count > 0, x.unread > 0);
  }
}

// Runs on documents of different lengths are not paired, whatever their hashes are.
TEST(Comparison, RunsOnDocumentsOfOtherLengthsAreNotPaired) {
  for (const std::uint64_t bytes : {1000U, 999U}) {
    SmallCampaign c(one_rung());
    const std::int64_t baseline = c.design("baseline", kStack), leads = c.design("adaptive", kStack);
    const auto run = [&](std::int64_t d, std::uint64_t seed, Purpose purpose, std::uint64_t document_bytes) {
      record::TrialResult r;
      r.status = Status::kDone;
      r.bits_per_byte = (d == leads ? 2.62 : 2.7) + 0.001 * static_cast<double>(seed % 3);
      r.documents.assign(3, {r.bits_per_byte, document_bytes});
      c.end(c.begin(d, 0, seed, purpose), r);
    };
    for (std::uint64_t seed = 1; seed <= 2; ++seed)
      run(baseline, seed, Purpose::kBaseline, 1000), run(leads, seed, Purpose::kRung, 1000);
    ASSERT_TRUE(c.population.apply(plan_comparison(c.population, kFirstSeed, leader(c.population), kAll)));
    const record::ComparisonBegun begun = c.population.comparisons().back();
    for (int k = 0; k < begun.seeds; ++k) {
      run(leads, begun.seed + static_cast<std::uint64_t>(k), Purpose::kFinal, k == 0 ? bytes : 1000);
      run(baseline, begun.seed + static_cast<std::uint64_t>(k), Purpose::kFinal, 1000);
    }
    EXPECT_EQ(outcome_of(c.population, begun).stands(), bytes == 1000);
  }
}

TEST(Comparison, UsesAsManySeedsAsTheEffectRequires) {
  const auto seeds = [](double deviation, double affordable = kAll) {
    const Race c(4, one_rung(), deviation);
    return plan_comparison(c.population, kFirstSeed, leader(c.population), affordable);
  };
  EXPECT_EQ(seeds(0.001).seeds, kLeastSeeds);
  EXPECT_GT(seeds(0.012).seeds, seeds(0.006).seeds);
  EXPECT_EQ(seeds(0.05).seeds, 24);
  EXPECT_NE(seeds(0.05).reason.find(
                "24 seeds, the most that the preset allows (final_seeds), detect a difference of 0.0"),
            std::string::npos)
      << seeds(0.05).reason;
  EXPECT_EQ(seeds(0.03, 5.7).seeds, 5);
  EXPECT_NE(seeds(0.03, 5.7).reason.find("5 seeds, all that the budget allows, detect"), std::string::npos);
  EXPECT_EQ(seeds(0.012, 0).seeds, kLeastSeeds) << "another session completes it";
  // The deviation is assumed if no design has two seeds.
  SearchSettings s = one_rung();
  s.rungs[0].seeds = 1;
  SmallCampaign c(s);
  c.run(c.design("baseline", kStack), 0, 1, 3.0, Purpose::kBaseline);
  c.run(c.design("adaptive", kStack), 0, 1, 2.9);
  const auto unknown = plan_comparison(c.population, kFirstSeed, leader(c.population), kAll);
  EXPECT_GT(unknown.seeds, 10);
  EXPECT_NE(unknown.reason.find("0.0200, assumed until it is measured"), std::string::npos) << unknown.reason;
}

TEST(Comparison, AFailedRunOfTheLeaderForbidsAClaim) {
  for (const Status status : {Status::kFailed, Status::kRefused}) {
    Race c;
    c.begin_comparison();
    const std::uint64_t failed = c.population.comparisons().back().seed + 1;
    c.finish([&](const RunRequest& w) {
      return w.design == c.leading && w.seed == failed ? status : Status::kDone;
    });
    const ComparisonOutcome o = c.outcome();
    EXPECT_TRUE(o.complete);
    EXPECT_FALSE(o.ahead);
    ASSERT_EQ(o.failed_runs.size(), 1U);
    EXPECT_EQ(o.failed_runs[0].seed, failed);
    EXPECT_EQ(o.failed_runs[0].status, status);
  }
}

// known[0] fails on one seed and is compared on the others; known[1] fails on all.
TEST(Comparison, ABaselineThatFailsIsNamed) {
  Race c(3, one_rung(), 0.004);
  c.begin_comparison();
  const record::ComparisonBegun begun = c.population.comparisons().back();
  c.finish([&](const RunRequest& w) {
    if (w.design == c.known[0] && w.seed == begun.seed) return Status::kRefused;
    return w.design == c.known[1] ? Status::kRefused : Status::kDone;
  });
  const ComparisonOutcome o = c.outcome();
  EXPECT_TRUE(o.complete);
  ASSERT_EQ(o.rows.size(), 3U);
  const auto row = [&](std::int64_t design) {
    return *std::find_if(o.rows.begin(), o.rows.end(),
                         [&](const ComparisonRow& r) { return r.design == design; });
  };
  EXPECT_EQ(row(c.known[1]).failed_runs.size(), static_cast<std::size_t>(begun.seeds));
  EXPECT_FALSE(row(c.known[1]).trained);
  EXPECT_EQ(o.rows.back().design, c.known[1]) << "without a score it stands last";
  EXPECT_EQ(row(c.known[0]).failed_runs.size(), 1U);
  EXPECT_EQ(row(c.known[0]).trained, begun.seeds - 1 >= kLeastSeeds);
  EXPECT_EQ(row(c.known[0]).difference.count, begun.seeds - 1);
  EXPECT_TRUE(o.ahead) << "of those that could be trained";
}

TEST(Comparison, ABaselineThatTheSearchCouldNotTrainIsListed) {
  SmallCampaign c(one_rung());
  const std::int64_t good = c.design("baseline", kStack), refused = c.design("baseline", kStack),
                     leads = c.design("adaptive", kStack);
  for (std::uint64_t seed = 1; seed <= 2; ++seed)
    c.run(good, 0, seed, 3.0, Purpose::kBaseline), c.run(leads, 0, seed, 2.5);
  c.run(refused, 0, 1, 0, Purpose::kBaseline, Status::kRefused);
  ASSERT_TRUE(c.population.apply(plan_comparison(c.population, kFirstSeed, leader(c.population), kAll)));
  Random random(4);
  while (auto run = next_run(c.population, kFirstSeed, Phase::kFinal)) {
    ASSERT_NE(run->design, refused);
    c.run(run->design, 0, run->seed, (run->design == good ? 3.0 : 2.5) + 0.001 * random.normal(),
          run->purpose);
  }
  const ComparisonOutcome o = outcome_of(c.population, c.population.comparisons().back());
  ASSERT_EQ(o.rows.size(), 2U);
  EXPECT_EQ(o.rows[1].design, refused);
  EXPECT_FALSE(o.rows[1].trained);
  ASSERT_EQ(o.rows[1].failed_runs.size(), 1U);
  EXPECT_EQ(o.rows[1].failed_runs[0].status, record::Status::kRefused);
  EXPECT_TRUE(o.ahead);
  // Nothing is claimed if no baseline can be trained.
  SmallCampaign none(one_rung());
  none.run(none.design("baseline", kStack), 0, 1, 0, Purpose::kBaseline, Status::kRefused);
  const std::int64_t alone = none.design("adaptive", kStack);
  none.run(alone, 0, 1, 2.5), none.run(alone, 0, 2, 2.5);
  ASSERT_TRUE(
      none.population.apply(plan_comparison(none.population, kFirstSeed, leader(none.population), kAll)));
  while (auto run = next_run(none.population, kFirstSeed, Phase::kFinal))
    none.run(alone, 0, run->seed, 2.5, Purpose::kFinal);
  const ComparisonOutcome empty = outcome_of(none.population, none.population.comparisons().back());
  EXPECT_TRUE(empty.complete);
  EXPECT_FALSE(empty.ahead);
}

TEST(Comparison, AnImplausibleLeadIsHeldBack) {
  for (const double lead : {0.3, 2.0}) {
    SmallCampaign c(one_rung());
    const std::int64_t a = c.design("baseline", kStack), b = c.design("baseline", kStack),
                       leads = c.design("adaptive", kStack);
    const auto score = [&](std::int64_t d) {
      return d == leads ? 3 - lead : d == a ? 3.0 : 3.2;
    };  // standard deviation between baselines 0.14
    for (const std::int64_t d : {a, b, leads})
      for (std::uint64_t seed = 1; seed <= 2; ++seed)
        c.run(d, 0, seed, score(d), d == leads ? Purpose::kRung : Purpose::kBaseline);
    ASSERT_TRUE(c.population.apply(plan_comparison(c.population, kFirstSeed, leader(c.population), kAll)));
    const record::ComparisonBegun begun = c.population.comparisons().back();
    auto run = next_run(c.population, kFirstSeed, Phase::kFinal);
    for (; run && run->purpose == Purpose::kFinal; run = next_run(c.population, kFirstSeed, Phase::kFinal))
      c.run(run->design, 0, run->seed, score(run->design), run->purpose);
    const ComparisonOutcome o = outcome_of(c.population, begun);
    EXPECT_TRUE(o.ahead);
    EXPECT_NEAR(o.spread, 0.1, 1e-9) << "baselines spread by 0.14, of which five times the effect count";
    const bool is_large = lead > 5 * o.spread;
    EXPECT_EQ(o.implausible, is_large);
    EXPECT_EQ(o.held_back(), is_large);
    EXPECT_EQ(o.stands(), !is_large);
    EXPECT_EQ(run.has_value(), is_large) << "the checks are repeated";
  }
}

// An implausible lead is trained again on kRechecks seeds of their own. Only if each of these runs passes its
// checks and shows half of the lead does the lead stand, and only then is the leader ablated.
TEST(Comparison, AnImplausibleLeadCountsOnceItsChecksWereRepeated) {
  for (const bool holds : {true, false}) {
    Race c(2, one_rung(), 0.002);
    c.design("ablation", kStack, {}, c.leading);
    c.begin_comparison();
    const record::ComparisonBegun begun = c.population.comparisons().back();
    std::vector<std::uint64_t> checks;
    int ablations = 0;
    double freedom = 0;
    while (auto run = next_run(c.population, kFirstSeed, Phase::kFinal)) {
      const double bits = run->design == c.leading ? 1.4 : 2.8;
      if (run->purpose == Purpose::kRecheck) {
        if (checks.empty()) freedom = c.outcome().run.freedom;
        EXPECT_EQ(run->design, c.leading);
        EXPECT_TRUE(c.outcome().held_back());
        EXPECT_FALSE(c.outcome().stands());
        checks.push_back(run->seed);
      }
      ablations += run->purpose == Purpose::kAblation;
      if (run->purpose == Purpose::kRecheck && !holds && checks.size() == 2)
        c.run(run->design, 0, run->seed, bits, run->purpose, Status::kRefused);
      else
        c.run(run->design, 0, run->seed, bits, run->purpose);
    }
    const std::uint64_t first = begun.seed + static_cast<std::uint64_t>(begun.seeds);
    EXPECT_EQ(checks, (std::vector<std::uint64_t>{first, first + 1}));
    EXPECT_EQ(c.outcome().stands(), holds);
    EXPECT_EQ(c.outcome().failed_rechecks.size(), holds ? 0U : 1U);
    EXPECT_EQ(ablations > 0, holds);
    EXPECT_EQ(c.outcome().run.freedom, freedom);
    EXPECT_EQ(c.outcome().ended, begun.seeds) << "repeated checks do not count in the comparison";
  }
}

// A control without a score may have been ahead, so the rung is not considered able to judge.
TEST(Comparison, ARungWithAFailedControlCannotJudge) {
  for (const int failed : {0, 1, 2})
    // `bits` is the score of the controls; the baseline has 2.7 and the leader 2.65. With 2.6 the controls
    // are ahead of it, so the comparison is told which design leads.
    for (const double bits : {2.9, 2.6}) {
      SmallCampaign c(one_rung());
      const std::int64_t baseline = c.design("baseline", kStack), first = c.design("control", kStack),
                         second = c.design("control", kStack), leads = c.design("adaptive", kStack);
      const auto fails = [&](std::int64_t d) {
        return (d == first && failed > 0) || (d == second && failed > 1);
      };
      Random random(3);
      const auto run = [&](std::int64_t d, std::uint64_t seed, Purpose purpose) {
        const double mean = d == leads ? 2.65 : d == baseline ? 2.7 : bits;
        c.run(d, 0, seed, mean + 0.002 * random.normal(), purpose,
              fails(d) ? Status::kRefused : Status::kDone);
      };
      for (const std::int64_t d : {baseline, first, second, leads})
        for (std::uint64_t seed = 1; seed <= 2; ++seed)
          run(d, seed, d == leads ? Purpose::kRung : Purpose::kBaseline);
      ASSERT_TRUE(c.population.apply(plan_comparison(c.population, kFirstSeed, Leader{0, leads}, kAll)));
      const record::ComparisonBegun begun = c.population.comparisons().back();
      for (int k = 0; k < begun.seeds; ++k)
        for (const std::int64_t d : {baseline, first, second, leads})
          if (!fails(d)) run(d, begun.seed + static_cast<std::uint64_t>(k), Purpose::kFinal);
      const ComparisonOutcome o = outcome_of(c.population, begun);
      EXPECT_EQ(o.controls, 2);
      EXPECT_EQ(o.untrained_controls, failed);
      EXPECT_EQ(o.can_judge(), failed == 0 && bits > 2.7) << failed << " " << bits;
      EXPECT_EQ(o.claims(), o.can_judge());
    }
}

// A baseline that fails on the comparison's seeds, but was better in the search, is not beaten.
TEST(Comparison, NothingIsClaimedIfAFailedBaselineWasBetterInTheSearch) {
  for (const double searched : {2.4, 2.8}) {
    SmallCampaign c(one_rung());
    const std::int64_t failing = c.design("baseline", kStack), other = c.design("baseline", kStack),
                       leads = c.design("adaptive", kStack);
    const auto run = [&](std::int64_t d, std::uint64_t seed, Purpose purpose) {
      const bool fails = d == failing && purpose == Purpose::kFinal;
      c.run(d, 0, seed,
            d == failing ? searched
            : d == leads ? 2.5
                         : 2.7,
            purpose, fails ? Status::kFailed : Status::kDone);
    };
    for (const std::int64_t d : {failing, other, leads})
      for (std::uint64_t seed = 1; seed <= 2; ++seed) run(d, seed, Purpose::kRung);
    const ComparisonOutcome o =
        outcome_of(c.population, compare_on_fresh_seeds(c, {failing, other, leads}, run));
    EXPECT_TRUE(o.complete);
    EXPECT_EQ(o.contradicted, searched < 2.5);
    EXPECT_EQ(o.ahead, searched > 2.5);
  }
}

// Without a control, nothing shows that the rung judges more than n-grams.
TEST(Comparison, WithoutControlsNothingIsClaimed) {
  Race c;
  c.begin_comparison();
  c.finish();
  EXPECT_TRUE(c.outcome().stands());
  EXPECT_FALSE(c.outcome().can_judge());
  EXPECT_FALSE(c.outcome().claims());
}

// One weak baseline does not make large leads plausible.
TEST(Comparison, AWeakBaselineMakesNoLeadPlausible) {
  for (const double weak : {2.56, 3.5}) {
    SmallCampaign c(one_rung());
    std::vector<std::int64_t> all;
    for (int k = 0; k < 4; ++k) all.push_back(c.design("baseline", kStack));
    all.push_back(c.design("adaptive", kStack));
    const auto score = [&](std::int64_t d) {
      return d == all.back() ? 2.3 : d == all[3] ? weak : 2.5 + 0.01 * static_cast<double>(d);
    };
    const auto run = [&](std::int64_t d, std::uint64_t seed, Purpose purpose) {
      c.run(d, 0, seed, score(d), purpose);
    };
    for (const std::int64_t d : all)
      for (std::uint64_t seed = 1; seed <= 2; ++seed) run(d, seed, Purpose::kRung);
    const ComparisonOutcome o = outcome_of(c.population, compare_on_fresh_seeds(c, all, run));
    EXPECT_TRUE(o.ahead);
    EXPECT_NEAR(o.spread, 0.01, 1e-9) << "that of the three best; the fourth has " << weak;
    EXPECT_TRUE(o.implausible) << weak;
  }
}

// A repetition that is done but does not show half of the lead confirms nothing.
TEST(Comparison, ARecheckHasToLeadAgain) {
  constexpr double kLeader = 1.4, kBaselines = 2.8, kHalf = (kLeader + kBaselines) / 2;
  for (const double again : {1.4, 1.9, 2.2, 2.95}) {
    Race c(2, one_rung(), 0.002);
    c.begin_comparison();
    while (auto run = next_run(c.population, kFirstSeed, Phase::kFinal))
      c.run(run->design, 0, run->seed,
            run->purpose == Purpose::kRecheck ? again
            : run->design == c.leading        ? kLeader
                                              : kBaselines,
            run->purpose);
    EXPECT_TRUE(c.outcome().implausible);
    EXPECT_EQ(c.outcome().stands(), again < kHalf) << again;
    EXPECT_EQ(c.outcome().failed_rechecks.empty(), again < kHalf) << again;
  }
}

// A learning rate found later changes none of a comparison's runs, and adds no failed one.
TEST(Comparison, ALaterRateChangesNoVerdict) {
  for (const Status later : {Status::kDone, Status::kFailed}) {
    Race c(2, one_rung(), 0.03);
    c.begin_comparison();
    c.finish();
    const record::ComparisonBegun begun = c.population.comparisons().back();
    const ComparisonOutcome before = outcome_of(c.population, begun);
    for (const Individual& i : c.population.individuals()) {
      c.run(i.created.id, 0, 1, 1.0, Purpose::kRate, Status::kDone,
            2);  // better, so it becomes the design's rate
      c.run(i.created.id, 0, 2, 1.0, Purpose::kReplicate, later, 2);
    }
    const ComparisonOutcome after = outcome_of(c.population, begun);
    EXPECT_EQ(after.stands(), before.stands());
    EXPECT_EQ(after.run.value, before.run.value);
    EXPECT_EQ(after.run.freedom, before.run.freedom);
    EXPECT_EQ(after.failed_runs.size(), before.failed_runs.size());
    for (std::size_t k = 0; k < before.rows.size(); ++k)
      EXPECT_EQ(after.rows[k].difference.high, before.rows[k].difference.high);
  }
}

// Runs that begin after a comparison, of the search or of another leader's comparison, do not change its
// verdict, whatever their scores.
TEST(Comparison, AVerdictDoesNotChange) {
  Race c;
  const std::int64_t control = c.design("control", kStack);
  for (std::uint64_t seed = 1; seed <= 2; ++seed) c.run(control, 0, seed, 3.0, Purpose::kBaseline);
  c.begin_comparison();
  c.finish();
  const record::ComparisonBegun first = c.population.comparisons().front();
  const auto text = [&] {
    const ComparisonOutcome o = outcome_of(c.population, first);
    std::string out =
        fmt::format("{} {} {} {} {} {} {} {} {}", o.stands(), o.ahead, o.implausible, o.spread,
                    o.best_baseline, o.over_control.low, o.over_control.high, o.run.value, o.run.freedom);
    for (const ComparisonRow& r : o.rows)
      out += fmt::format("; {} {} {} {}", r.design, r.difference.mean, r.difference.low, r.difference.high);
    for (const ComparisonRow& r : ablation_rows(c.population, first))
      out += fmt::format("; {} {} {}", r.design, r.difference.low, r.difference.high);
    return out + fmt::format("; {}", visible_effect_of(c.population, o));
  };
  const std::string reached = text();
  ASSERT_TRUE(outcome_of(c.population, first).stands()) << reached;
  // The best baseline becomes the worst, and runs deviate by a hundred times as much.
  Random random(7);
  for (const Individual& i : c.population.individuals())
    for (std::uint64_t seed = 3; seed <= 8; ++seed)
      c.run(i.created.id, 0, seed, (i.created.id == c.known.front() ? 4.0 : 3.0) + 0.5 * random.normal(),
            is_known(i) ? Purpose::kBaseline : Purpose::kRung);
  EXPECT_EQ(text(), reached) << "runs of the search";
  const std::int64_t next = c.design("adaptive", kStack);
  for (std::uint64_t seed = 1; seed <= 8; ++seed) c.run(next, 0, seed, 2.0 + 0.5 * random.normal());
  ASSERT_EQ(leader(c.population).design, next);
  c.begin_comparison();
  const record::ComparisonBegun second = c.population.comparisons().back();
  ASSERT_NE(second.seed, first.seed);
  for (int k = 0; k < second.seeds; ++k)
    for (const std::int64_t d : {c.known[0], c.known[1], control, next})
      c.run(d, 0, second.seed + static_cast<std::uint64_t>(k), 3 + 0.5 * random.normal(), Purpose::kFinal);
  ASSERT_TRUE(outcome_of(c.population, second).complete);
  EXPECT_EQ(text(), reached) << "another comparison";
}

TEST(Comparison, TheLargestSeedsDoNotOverflow) {
  Race c;
  const record::ComparisonBegun begun{.id = 1,
                                      .design = c.leading,
                                      .rung = 0,
                                      .seed = std::numeric_limits<std::uint64_t>::max() - 2,
                                      .seeds = 3,
                                      .level = 0.05,
                                      .reason = ""};
  ASSERT_TRUE(c.population.apply(begun));
  for (int k = 0; k < begun.seeds; ++k)
    c.run(c.leading, 0, begun.seed + static_cast<std::uint64_t>(k), 2.5, Purpose::kFinal,
          k == 1 ? Status::kFailed : Status::kDone);
  EXPECT_EQ(failed_runs(c.population, c.leading, 0, &begun).size(), 1U);
  EXPECT_FALSE(outcome_of(c.population, begun).stands());
}

TEST(Comparison, OneDocumentDecidesNothing) {
  for (const std::size_t documents : {1U, 2U}) {
    SmallCampaign c(one_rung());
    const std::int64_t baseline = c.design("baseline", kStack), leads = c.design("adaptive", kStack);
    const auto run = [&](std::int64_t d, std::uint64_t seed, Purpose purpose) {
      record::TrialResult r;
      r.status = record::Status::kDone;
      r.bits_per_byte = (d == leads ? 2.5 : 2.55) + 0.001 * static_cast<double>(seed % 3);
      r.documents.assign(documents, {r.bits_per_byte, 1000});
      c.end(c.begin(d, 0, seed, purpose), r);
    };
    for (std::uint64_t seed = 1; seed <= 2; ++seed)
      run(baseline, seed, Purpose::kBaseline), run(leads, seed, Purpose::kRung);
    const record::ComparisonBegun begun = compare_on_fresh_seeds(c, {baseline, leads}, run);
    EXPECT_EQ(outcome_of(c.population, begun).stands(), documents == 2);
  }
}

TEST(Comparison, ALeadOverOneBaselineMayBeImplausibleToo) {
  for (const double lead : {0.05, 1.4}) {
    Race c(1, one_rung(), 0.002);
    c.begin_comparison();
    while (auto run = next_run(c.population, kFirstSeed, Phase::kFinal))
      c.run(run->design, 0, run->seed, run->design == c.leading ? 2.8 - lead : 2.8, run->purpose);
    EXPECT_EQ(c.outcome().implausible, lead > 1);
  }
}

TEST(Comparison, AblationsUseItsSeedsAndFollowAWin) {
  for (const bool wins : {true, false}) {
    Race c(2, one_rung(), 0.004);
    const std::int64_t helps = c.design("ablation", kStack, {}, c.leading),
                       hurts = c.design("ablation", kStack, {}, c.leading),
                       nothing = c.design("ablation", kStack, {}, c.leading);
    c.begin_comparison();
    const record::ComparisonBegun begun = c.population.comparisons().back();
    Random random(8);
    while (auto run = next_run(c.population, kFirstSeed, Phase::kFinal)) {
      double bits = run->design == helps                                 ? 2.55
                    : run->design == hurts                               ? 2.45
                    : run->design == nothing || run->design == c.leading ? 2.5
                    : wins                                               ? 2.8
                                                                         : 2.5;
      bits += 0.002 * random.normal();
      if (run->purpose == Purpose::kAblation) {
        EXPECT_TRUE(c.outcome().complete);
      }
      c.run(run->design, 0, run->seed, bits, run->purpose);
    }
    EXPECT_EQ(c.outcome().ahead, wins);
    const std::vector<ComparisonRow> rows = ablation_rows(c.population, begun);
    ASSERT_EQ(rows.size(), 3U);
    for (const ComparisonRow& row : rows) EXPECT_EQ(row.ended, wins ? begun.seeds : 0);
    if (!wins) continue;
    EXPECT_LT(rows[0].difference.high, 0) << "with the part it is better";
    EXPECT_GT(rows[1].difference.low, 0) << "without it";
    EXPECT_FALSE(rows[2].difference.excludes_zero());
  }
}

// A baseline with a failed run is named. Its other scores do not make a lead plausible, nor do they rank
// first.
TEST(Comparison, ABaselineWithAFailedRunDoesNotHideAnImplausibleLead) {
  SmallCampaign c(one_rung());
  const std::int64_t failing = c.design("baseline", kStack), whole = c.design("baseline", kStack),
                     leads = c.design("adaptive", kStack);
  const auto score = [&](std::int64_t d) { return d == leads ? 1.8 : d == failing ? 1.85 : 2.2; };
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    c.run(leads, 0, seed, 1.6);
    for (const std::int64_t d : {failing, whole}) c.run(d, 0, seed, 2.2, Purpose::kBaseline);
  }
  ASSERT_TRUE(c.population.apply(plan_comparison(c.population, kFirstSeed, leader(c.population), 3)));
  bool first = true;
  for (auto run = next_run(c.population, kFirstSeed, Phase::kFinal); run && run->purpose == Purpose::kFinal;
       run = next_run(c.population, kFirstSeed, Phase::kFinal)) {
    const bool fails = run->design == failing && std::exchange(first, false);
    c.run(run->design, 0, run->seed, score(run->design), Purpose::kFinal,
          fails ? Status::kRefused : Status::kDone);
  }
  const ComparisonOutcome o = outcome_of(c.population, c.population.comparisons().back());
  ASSERT_TRUE(o.complete);
  EXPECT_EQ(o.rows.front().design, whole);
  EXPECT_TRUE(o.implausible) << o.spread;
  EXPECT_FALSE(o.stands());
}

// An ablation is no design of the search, which may still propose the same program.
TEST(Comparison, AblationsAreNotKnownDesigns) {
  Race c(2, one_rung(), 0.004);
  for (const char* strategy : {"ablation", "adaptive"}) {
    record::DesignCreated created;
    created.id = static_cast<std::int64_t>(c.population.individuals().size()) + 1;
    set_source(created, strategy);
    created.name = "Without";
    created.program = "design Without:\n    stack = [Attention, RMSNorm]\n";
    created.trained = "identity";
    created.fingerprint = "trace";
    ASSERT_TRUE(c.population.apply(created));
    const bool known = strategy == std::string("adaptive");
    EXPECT_EQ(c.population.design_with_identity("identity") != nullptr, known);
    EXPECT_EQ(c.population.designs_with_fingerprint("trace").size(), known ? 1U : 0U);
  }
}

TEST(Comparison, DocumentsUsedForSelectionDoNotJudge) {
  SearchSettings s = one_rung();
  s.rungs[0].documents = 10;
  for (const std::size_t count : {20U, 12U}) {  // of twelve, two are unseen, and eight are needed to judge
    SmallCampaign c(s);
    const std::int64_t design = c.design("adaptive", kStack);
    for (const auto purpose : {Purpose::kRung, Purpose::kFinal}) {
      record::TrialResult r;
      r.status = record::Status::kDone;
      for (std::size_t k = 0; k < count; ++k)
        r.documents.push_back({k < 10 ? 2.0 : k % 2 == 0 ? 3.0 : 4.0, k % 2 == 0 ? 100U : 300U});
      r.bits_per_byte = 2.5;
      c.end(c.begin(design, 0, purpose == Purpose::kRung ? 1 : 1001, purpose), r);
    }
    const Trial &chose = c.population.trial(1), &judged = c.population.trial(2);
    EXPECT_EQ(chose.documents.size(), count);
    EXPECT_EQ(chose.bits, 2.5);
    EXPECT_EQ(judged.fresh_documents, count == 20);
    EXPECT_EQ(judged.documents.size(), count == 20 ? 10U : count);
    EXPECT_NEAR(judged.bits, count == 20 ? 3.75 : 2.5, 1e-12);
  }
}

// Documents have one fixed order, so the search has also seen those of lower rungs.
TEST(Comparison, DocumentsThatALowerRungSawDoNotJudge) {
  for (const std::int64_t below : {4, 30, 0}) {  // 0: it scores all documents
    SearchSettings s = small_settings();
    s.rungs[0].documents = below, s.rungs[1].documents = 10;
    SmallCampaign c(s);
    const std::int64_t design = c.design("adaptive", kStack);
    record::TrialResult r;
    r.status = record::Status::kDone;
    r.documents.assign(40, {2.0, 100});
    r.bits_per_byte = 2;
    c.end(c.begin(design, 1, 1001, Purpose::kFinal), r);
    EXPECT_EQ(c.population.trial(1).fresh_documents, below > 0);
    EXPECT_EQ(c.population.trial(1).documents.size(), below == 4 ? 30U : below == 30 ? 10U : 40U);
  }
}

// ---- Whole campaigns ----

struct World {
  double deviation = 0.012;  // standard deviation of a run
  double search_factor = 1;  // factor on the deviation of a run of designs of the search
  double documents = 0.02;   // deviation of a design's score on one document around its mean
  double gain = 0;           // lead of every design of the search over the best baseline
};

// A campaign simulated run by run. A score is the sum of effects of the design, the seed (shared by all
// designs), the document (per design) and chance.
class Simulated {
 public:
  Simulated(const World& world, std::uint64_t seed) : world_(world), random_(seed), population(settings()) {
    for (const double behind : {0.0, 0.05, 0.1, 0.3}) design("baseline", 2.5 + behind);
    for (const Individual& i : population.individuals()) search(i.created.id);
  }

  // Adds `fresh` new designs, then runs the comparison of the leader. Returns true if it is ahead.
  bool session(int fresh) {
    for (int k = 0; k < fresh; ++k) search(design("adaptive", 2.5 - world_.gain));
    const Leader best = leader(population);
    const record::ComparisonBegun begun = plan_comparison(population, kFirstSeed, best, kAll);
    EXPECT_TRUE(population.apply(begun));
    for (int k = 0; k < begun.seeds; ++k) {
      run(best.design, begun.seed + static_cast<std::uint64_t>(k), Purpose::kFinal);
      for (const std::int64_t d : compared_with(population))
        run(d, begun.seed + static_cast<std::uint64_t>(k), Purpose::kFinal);
    }
    seeds += begun.seeds, ++comparisons;
    const ComparisonOutcome o = outcome_of(population, begun);
    EXPECT_TRUE(o.complete);
    // The leader is vetoed, so that another design leads next time.
    EXPECT_TRUE(population.apply(record::Steered{.key = std::to_string(comparisons),
                                                 .what = record::Steering::kVeto,
                                                 .text = "",
                                                 .design = best.design}));
    return o.ahead;
  }

 private:
  static constexpr std::size_t kDocuments = 16;
  static SearchSettings settings() {
    SearchSettings s = one_rung(32);
    s.rungs[0].documents = kDocuments;
    return s;
  }
  std::int64_t design(const std::string& strategy, double mean) {
    record::DesignCreated created;
    created.id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    created.name = "M", set_source(created, strategy);
    EXPECT_TRUE(population.recall(created));
    means_.push_back(mean);
    std::vector<double>& own = documents_.emplace_back(2 * kDocuments);
    for (double& d : own) d = world_.documents * random_.normal();
    return created.id;
  }
  void search(std::int64_t design) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed)
      run(design, seed, is_baseline(population.individual(design)) ? Purpose::kBaseline : Purpose::kRung);
  }
  void run(std::int64_t design, std::uint64_t seed, Purpose purpose) {
    const auto id = static_cast<std::int64_t>(population.trials().size()) + 1;
    EXPECT_TRUE(population.apply(
        record::TrialBegun{.id = id, .design = design, .rung = 0, .seed = seed, .purpose = purpose}));
    const auto at = static_cast<std::size_t>(design - 1);
    const double chance = world_.deviation *
                          (is_baseline(population.individual(design)) ? 1 : world_.search_factor),
                 of_seed = 0.02 * Random(seed).normal(),
                 whole = means_[at] + of_seed + chance * random_.normal();
    std::vector<record::DocumentScore> scores;
    const std::string text =
        is_baseline(population.individual(design)) || purpose != Purpose::kFinal ? "one" : held_out;
    double bits = 0;
    const std::size_t count = purpose == Purpose::kFinal ? 2 * kDocuments : kDocuments;
    for (std::size_t k = 0; k < count; ++k) scores.push_back({whole + documents_[at][k], 1000});
    for (std::size_t k = 0; k < kDocuments; ++k) bits += scores[k].bits_per_byte / kDocuments;
    EXPECT_TRUE(population.recall(id, Status::kDone, "", bits, 0,
                                  {.text_hash = "", .held_out_hash = text, .documents = std::move(scores)}));
  }

  World world_;
  Random random_;
  std::vector<double> means_;
  std::vector<std::vector<double>> documents_;

 public:
  Population population;
  std::string held_out = "one";  // held-out text of the runs of a comparison's design
  int comparisons = 0;
  double seeds = 0;
};

// The outcome of a complete comparison does not change with later runs: a baseline that could not be trained
// when it began had no runs in it, and a score from a later search for its learning rate adds none.
TEST(Comparison, StaysCompleteWhenARefusedBaselineIsTrainedLater) {
  SearchSettings s = small_settings();
  s.baselines = {"gpt2", "llama"};
  s.tune_rates = true;
  SmallCampaign c(s);
  const std::int64_t baseline = c.design("baseline", "Block(mixer=Attention)"),
                     refused = c.design("baseline", "2 * Block(mixer=Attention)"),
                     leader = c.design("random", "3 * Block(mixer=Attention)");
  c.run(baseline, 1, 1, 2.5);
  c.run(refused, 1, 1, 0, record::Purpose::kRung, record::Status::kRefused);
  c.run(leader, 1, 1, 2.4);
  ASSERT_TRUE(c.population.apply(record::ComparisonBegun{
      .id = 1, .design = leader, .rung = 1, .seed = 1001, .seeds = 3, .level = 0.05, .reason = "three"}));
  for (std::uint64_t seed = 1001; seed < 1004; ++seed) {
    c.run(leader, 1, seed, 2.4, record::Purpose::kFinal);
    c.run(baseline, 1, seed, 2.5, record::Purpose::kFinal);
  }
  EXPECT_TRUE(outcome_of(c.population, c.population.comparisons().back()).complete);
  c.run(refused, 1, 1, 2.45, record::Purpose::kRung, record::Status::kDone, /*rate=*/2);
  EXPECT_TRUE(outcome_of(c.population, c.population.comparisons().back()).complete);
}

TEST(Comparison, RunsOnAnotherHeldOutTextAreNotPaired) {
  const World world{.gain = 0.5};
  Simulated same(world, 1);
  EXPECT_TRUE(same.session(3));
  Simulated other(world, 1);
  other.held_out = "another";
  EXPECT_FALSE(other.session(3));
  const ComparisonOutcome o = outcome_of(other.population, other.population.comparisons().back());
  EXPECT_EQ(o.failed_runs.size(), static_cast<std::size_t>(o.begun->seeds));
  EXPECT_NE(o.failed_runs.front().cause.find("another text"), std::string::npos)
      << o.failed_runs.front().cause;
  for (const ComparisonRow& row : o.rows) EXPECT_EQ(row.difference.count, 0);
}

// Returns the share of campaigns that claim a better design within twenty leaders, although no design is
// better than the best baseline.
double false_claims(const World& world, int campaigns) {
  int out = 0;
  for (int k = 0; k < campaigns; ++k) {
    Simulated c(world, 1000 + static_cast<std::uint64_t>(k));
    bool claimed = false;
    for (int session = 0; session < 20; ++session) claimed = c.session(10) || claimed;
    out += claimed;
  }
  return static_cast<double>(out) / campaigns;
}

// Returns the share of first comparisons that detect a gain of the preset's effect.
double detected_share(const World& world, int campaigns, double* seeds = nullptr) {
  int out = 0;
  double sum = 0;
  for (int k = 0; k < campaigns; ++k) {
    Simulated c(world, 5000 + static_cast<std::uint64_t>(k));
    out += c.session(10);
    sum += c.seeds;
  }
  if (seeds) *seeds = sum / campaigns;
  return static_cast<double>(out) / campaigns;
}

// Bounds of an observed share, three standard errors from the true one.
double upper(double share, int count) { return share + 3 * std::sqrt(share * (1 - share) / count); }
double lower(double share, int count) { return share - 3 * std::sqrt(share * (1 - share) / count); }

TEST(SimulatedCampaigns, ClaimNothingFalseHoweverManyLeadersTheyCompare) {
  constexpr int kCampaigns = 40;
  for (const World& w : {World{}, World{.search_factor = 3}, World{.deviation = 0.004, .documents = 0.04}})
    EXPECT_LE(false_claims(w, kCampaigns), upper(0.05, kCampaigns))
        << w.deviation << " x " << w.search_factor;
}

// Copies of Llama at 150k parameters and 300k tokens have a standard deviation of 0.021 (docs/campaigns.md).
TEST(SimulatedCampaigns, SeeThePresetsEffect) {
  constexpr int kCampaigns = 200;
  for (const World& w : {World{.deviation = 0.021, .documents = 0.01, .gain = 0.02},
                         World{.deviation = 0.008, .documents = 0.01, .gain = 0.02}}) {
    double seeds = 0;
    EXPECT_GE(detected_share(w, kCampaigns, &seeds), lower(0.8, kCampaigns))
        << w.deviation << " on " << seeds << " seeds";
    EXPECT_LE(seeds, 32);
  }
}

// This also covers designs of the search that deviate three times as much as the baselines, which the pooled
// deviation does not account for.
TEST(SimulatedCampaigns, ClaimNothingFalseInManyWorldsSlow) {
  constexpr int kCampaigns = 500;
  for (const World& w : {World{.search_factor = 3}, World{.search_factor = 3, .documents = 0}, World{},
                         World{.search_factor = 0.33}, World{.deviation = 0.021},
                         World{.deviation = 0.004, .documents = 0.04}}) {
    const int count = w.search_factor > 1 ? 3 * kCampaigns : kCampaigns;
    const double share = false_claims(w, count);
    EXPECT_LE(share, upper(0.05, count))
        << w.deviation << " x " << w.search_factor << ", documents " << w.documents;
    std::printf(
        "deviation %.3f, of the search x %.2f, of documents %.3f: false claims in %.4f of %d campaigns\n",
        w.deviation, w.search_factor, w.documents, share, count);
    std::fflush(stdout);
  }
}

TEST(SimulatedCampaigns, SeeThePresetsEffectInManyWorldsSlow) {
  constexpr int kCampaigns = 1000;
  for (const double deviation : {0.021, 0.012, 0.008, 0.004}) {
    double seeds = 0;
    const double share =
        detected_share({.deviation = deviation, .documents = 0.01, .gain = 0.02}, kCampaigns, &seeds);
    EXPECT_GE(share, lower(0.8, kCampaigns)) << deviation;
    std::printf("deviation %.3f: 0.02 seen in %.4f of cases on %.1f seeds\n", deviation, share, seeds);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace gabbro::evolve
