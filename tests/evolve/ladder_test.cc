// Tests of the order of runs, hurdles, A/A replicates, refused events and the depth of programs at rungs.
#include "evolve/ladder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "evolve/depth.h"
#include "evolve/replicates.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "small_campaign.h"

namespace gabbro::evolve {

using record::Purpose;
namespace {

TEST(Ladder, BaselinesComeFirst) {
  SmallCampaign c;
  const std::int64_t baseline = c.design("baseline", "[Block, RMSNorm]");
  const auto run = next_run(c.population, 1, Phase::kSearch);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->design, baseline);
  EXPECT_EQ(run->rung, 0);
  c.run(baseline, 0, 1, 3.0, Purpose::kBaseline);
  EXPECT_FALSE(next_run(c.population, 1, Phase::kSearch)) << "a new design is wanted";
}

TEST(Ladder, TheBetterHalfIsPromotedBestFirst) {
  SmallCampaign c;
  c.run(c.design("baseline", "[Block, RMSNorm]"), 0, 1, 3.0, Purpose::kBaseline);
  std::vector<std::int64_t> designs;
  for (const double bits : {2.9, 2.5, 2.7, 2.8}) {
    designs.push_back(c.design("adaptive", "[Block, RMSNorm]"));
    c.run(designs.back(), 0, 1, bits);
    if (designs.size() == 1) {
      EXPECT_FALSE(next_run(c.population, 1, Phase::kSearch)) << "half of one is none";
    }
  }
  auto run = next_run(c.population, 1, Phase::kSearch);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->design, designs[1]);
  EXPECT_EQ(run->rung, 1);
  EXPECT_NE(run->promotion.find("rank 1 of 4"), std::string::npos) << run->promotion;
  c.begin(designs[1], 1, 1);
  // The baseline is wanted first, at the rung that a candidate entered, with both seeds; then the candidate's
  // second seed; then the next design.
  run = next_run(c.population, 1, Phase::kSearch);
  EXPECT_EQ(run->design, 1);
  c.run(1, 1, 1, 2.8, Purpose::kBaseline);
  EXPECT_EQ(next_run(c.population, 1, Phase::kSearch)->seed, 2U);
  c.run(1, 1, 2, 2.8, Purpose::kBaseline);
  run = next_run(c.population, 1, Phase::kSearch);
  EXPECT_EQ(run->design, designs[1]);
  EXPECT_EQ(run->seed, 2U);
  c.run(designs[1], 1, 2, 2.3);
  run = next_run(c.population, 1, Phase::kSearch);
  EXPECT_EQ(run->design, designs[2]);
  c.run(designs[2], 1, 1, 2.6);
  c.run(designs[2], 1, 2, 2.6);
  EXPECT_FALSE(next_run(c.population, 1, Phase::kSearch)) << "the rung has room for two";
}

TEST(Ladder, APromotionByHandDecidesNothing) {
  SmallCampaign c;
  c.run(c.design("baseline", "[Block, RMSNorm]"), 0, 1, 3.0, Purpose::kBaseline);
  const std::int64_t better = c.design("adaptive", "[Block, RMSNorm]"),
                     worse = c.design("adaptive", "[Block, RMSNorm]");
  c.run(better, 0, 1, 2.5);
  c.run(worse, 0, 1, 2.9);
  ASSERT_TRUE(c.population.apply(record::Steered{
      .key = "1", .what = record::Steering::kPromote, .text = "", .design = worse, .rung = 1}));
  const auto has_room_at = [](int rung) { return [=](int r) { return r == rung; }; };
  for (const int rung : {0, 2}) {
    const auto other = next_run(c.population, 1, Phase::kSearch, 1000, has_room_at(rung));
    ASSERT_TRUE(other);
    EXPECT_NE(other->purpose, Purpose::kByHand) << "the rung of the promotion has no room";
  }
  const auto run = next_run(c.population, 1, Phase::kSearch, 1000, has_room_at(1));
  ASSERT_TRUE(run);
  EXPECT_EQ(run->design, worse);
  EXPECT_EQ(run->rung, 1);
  EXPECT_EQ(run->purpose, Purpose::kByHand);
  EXPECT_EQ(run->promotion, "");

  const auto after = [&](double bits) {
    SmallCampaign with = c;
    with.run(worse, 1, 1, bits, Purpose::kByHand);
    EXPECT_EQ(leader(with.population).design, better);
    EXPECT_EQ(leader(with.population).rung, 0);
    EXPECT_EQ(with.population.individual(worse).entered, 0);
    EXPECT_EQ(with.population.standing(with.population.individual(worse), 1).done, 0);
    EXPECT_EQ(with.population.scored(worse, 1, 1), nullptr);
    // The ladder goes on as if the run were not there, and trains the design anew if it promotes it.
    const auto next = next_run(with.population, 1, Phase::kSearch, 1000, has_room_at(1));
    ASSERT_TRUE(next);
    EXPECT_EQ(next->design, better);
    EXPECT_EQ(next->purpose, Purpose::kRung);
  };
  after(0.5);
  after(9);
}

TEST(Ladder, ALostRunEndsItsDesign) {
  SmallCampaign c;
  c.run(c.design("baseline", "[Block, RMSNorm]"), 0, 1, 3.0, Purpose::kBaseline);
  for (const record::Status status :
       {record::Status::kFailed, record::Status::kRefused, record::Status::kHurdle}) {
    const std::int64_t design = c.design("adaptive", "[Block, RMSNorm]");
    c.run(design, 0, 1, 1.0, Purpose::kRung, status);
    EXPECT_FALSE(next_run(c.population, 1, Phase::kSearch)) << record::word_of(status);
  }
  EXPECT_EQ(leader(c.population).rung, -1);
}

TEST(Ladder, EvidenceIsRequiredWhereTheRungSaysSo) {
  SearchSettings s = small_settings();
  s.rungs[0].seeds = 5;
  s.rungs[0].evidence = 0.05;
  for (const double gain : {0.001, 0.1}) {
    SmallCampaign c(s);
    const std::int64_t baseline = c.design("baseline", "[Block, RMSNorm]"),
                       design = c.design("adaptive", "[Block, RMSNorm]"),
                       other = c.design("adaptive", "[Block, RMSNorm]");
    const double noise[] = {0.01, -0.01, 0.005, -0.004, 0.0};
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      c.run(baseline, 0, seed, 3.0, Purpose::kBaseline);
      c.run(design, 0, seed, 3.0 - gain + noise[seed - 1]);
      c.run(other, 0, seed, 3.5);
    }
    EXPECT_EQ(next_run(c.population, 1, Phase::kSearch).has_value(), gain > 0.05) << gain;
  }
}

TEST(Ladder, HurdlesAreAQuantileOfRunsOnTheSameData) {
  SearchSettings s = small_settings();
  s.rungs[0].stop_fraction = 0.25;
  SmallCampaign c(s);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(std::isfinite(hurdles(c.population, 0, 1)[0]), i >= 4);
    c.run(c.design("adaptive", "[Block, RMSNorm]"), 0, 1, 2.0 + 0.1 * i);
  }
  const std::vector<double> h = hurdles(c.population, 0, 1);
  const Trial &third = c.population.trial(4), &last = c.population.trial(5);
  EXPECT_DOUBLE_EQ(h[0], third.at_hurdles[0]);
  EXPECT_GT(last.at_hurdles[0], h[0]) << "the worst would be stopped";
  EXPECT_FALSE(std::isfinite(hurdles(c.population, 0, 2)[0])) << "another data order";
}

// A run without a verdict sets no hurdles, whatever losses it reports.
TEST(Ladder, RunsThatFailedSetNoHurdles) {
  for (const record::Status status :
       {record::Status::kFailed, record::Status::kRefused, record::Status::kHurdle}) {
    SearchSettings settings = small_settings();
    settings.rungs.front().stop_fraction = 0.25;
    settings.hurdles = {0.25};
    SmallCampaign c(settings);
    for (int i = 0; i < 6; ++i)
      c.run(c.design("adaptive", "[Block, RMSNorm]"), 0, 1, 2.0, record::Purpose::kRung, status);
    EXPECT_EQ(std::isfinite(hurdles(c.population, 0, 1)[0]), status == record::Status::kHurdle)
        << record::word_of(status);
  }
}

// Copies of one design differ by chance alone. An interval under which more than 5 of 100 pairs differ
// significantly is wrong.
TEST(Replicates, ChanceIsNotTakenForADifference) {
  int pairs = 0, apart = 0;
  double rate = 0;
  for (std::uint64_t world = 0; world < 12; ++world) {
    SmallCampaign c;
    for (int i = 0; i < kReplicates; ++i) c.design("aa", "[Block, RMSNorm]");
    Random random(world);
    while (auto run = next_replicate_run(c.population, 1))
      c.run(run->design, 0, run->seed, 3 + 0.02 * static_cast<double>(run->seed) + 0.01 * random.normal(),
            Purpose::kAaReplicate);
    const ReplicateReport report = replicate_report(c.population, 1);
    EXPECT_EQ(report.seeds, kReplicateSeeds);
    EXPECT_NEAR(report.seed_stddev, 0.01, 0.004);
    pairs += report.pairs;
    apart += report.significant;
    rate += report.false_positive_rate / 12;
  }
  EXPECT_EQ(pairs, 12 * kReplicates * (kReplicates - 1) / 2);
  EXPECT_LE(apart, pairs * 5 / 100);
  EXPECT_LE(rate, 0.05);
  EXPECT_GT(rate, 0.01) << "an interval that never errs is too wide to be of use";
}

TEST(Population, EventsThatDoNotFollowAreRefused) {
  SmallCampaign c;
  const std::int64_t design = c.design("adaptive", "[Block, RMSNorm]");
  record::DesignCreated again = c.population.individual(design).created;
  EXPECT_FALSE(c.population.apply(again)) << "an id twice";
  again.id = 2;
  again.program = "design";
  EXPECT_FALSE(c.population.apply(again)) << "a program that does not parse";
  EXPECT_FALSE(c.population.apply(record::TrialBegun{.id = 2, .design = design}));
  EXPECT_FALSE(c.population.apply(record::TrialEnded{.id = 1, .result = "{}"}));
  c.run(design, 0, 1, 2.0);
  EXPECT_FALSE(c.population.apply(record::TrialEnded{.id = 1, .result = "{}"})) << "a second result";
  EXPECT_TRUE(c.population.apply(record::TrialBegun{.id = 2, .design = design, .seed = 2}));
  EXPECT_TRUE(c.population.apply(record::TrialBegun{.id = 2, .design = design, .seed = 2}))
      << "a lost run begins again";
}

std::string deepened_stack(const std::string& stack, double factor) {
  const lang::ParseResult parsed = lang::parse("design M:\n    stack = " + stack + "\n");
  EXPECT_TRUE(parsed.errors.empty());
  const std::string text = lang::print(deepened(parsed.program, factor));
  const std::size_t at = text.find("stack = ") + 8;
  return text.substr(at, text.find('\n', at) - at);
}

TEST(Depth, TheOuterOfNestedRepetitionsTakesTheFactor) {
  EXPECT_EQ(deepened_stack("[2 * Block, RMSNorm]", 2), "[4 * Block, RMSNorm]");
  EXPECT_EQ(deepened_stack("[2 * [3 * Block, Block], RMSNorm]", 2), "[4 * [3 * Block, Block], RMSNorm]");
  EXPECT_EQ(deepened_stack("[2 * [3 * Block, Block], RMSNorm]", 1.0 / 3),
            "[1 * [2 * Block, Block], RMSNorm]");
  EXPECT_EQ(deepened_stack("[1 * [1 * Block, Block], RMSNorm]", 1.5), "[2 * [1 * Block, Block], RMSNorm]");
}

TEST(Depth, ABaselineHasTheRungsBlocksAndPositions) {
  const auto stack = [](std::int64_t blocks) {
    const std::string text = lang::print(
        as_baseline(lang::parse("design D:\n    stack = [LearnedPosition, 8 * Block, LayerNorm]\n").program,
                    blocks, 128));
    return text.substr(text.find('['));
  };
  EXPECT_EQ(stack(2), "[LearnedPosition(size=128), 2 * Block, LayerNorm]\n");
  EXPECT_EQ(stack(0), "[LearnedPosition(size=128), 8 * Block, LayerNorm]\n");
}

TEST(Depth, AProgramsOwnPositionUnitMayHaveNoSize) {
  const std::string own =
      "unit LearnedPosition(x: [t, D]) -> [t, D]:\n    return x\n\ndesign D:\n    stack = [LearnedPosition, "
      "8 * Block, LayerNorm]\n";
  const std::string text = lang::print(as_baseline(lang::parse(own).program, 2, 128));
  EXPECT_NE(text.find("[LearnedPosition, 2 * Block, LayerNorm]"), std::string::npos) << text;
}

TEST(Depth, RepetitionsAreThoseOfTheLastDesign) {
  const lang::ParseResult parsed =
      lang::parse("design A:\n    stack = 12 * Block\n\ndesign B:\n    stack = [2 * [3 * Block, Block]]\n");
  EXPECT_EQ(repetitions(parsed.program), 6);
}

}  // namespace
}  // namespace gabbro::evolve
