// Tests of what tasks of agents are drawn to work on.
#include "campaign/task_draws.h"

#include <gtest/gtest.h>

#include "campaign/agents_text.h"
#include "evolve/small_campaign.h"

namespace gabbro::campaign {
namespace {

using evolve::SmallCampaign;
using record::Writing;

constexpr const char* kStack = "[2 * Block(mixer=GQA, mlp=SwiGLU), RMSNorm]";
constexpr int kDraws = 2000;

record::TaskReport report_of(Writing writing, double cost, std::int64_t tokens = 0) {
  record::TaskReport out;
  out.writing = writing, out.cost = cost, out.input_tokens = tokens;
  return out;
}

// A campaign whose agents have written designs that were better or worse than their parent.
struct Written : SmallCampaign {
  std::int64_t parent = design("baseline", kStack);
  Written() { run(parent, 0, 1, 3.0); }
  void add(Writing writing, int better, int worse, double cost, std::int64_t tokens = 0) {
    for (int i = 0; i < better + worse; ++i)
      run(design_by_agents(report_of(writing, cost, tokens), kStack, parent), 0, 1, i < better ? 2.9 : 3.1);
  }
  [[nodiscard]] double share_of(Writing writing) const {
    int drawn = 0;
    for (int i = 0; i < kDraws; ++i) {
      Random random(static_cast<std::uint64_t>(i));
      drawn += draw_writing(population, "agents", random) == writing ? 1 : 0;
    }
    return static_cast<double>(drawn) / kDraws;
  }
};

TEST(DrawWriting, AWayWithoutARecordIsTakenFirst) {
  Written c;
  EXPECT_EQ(c.share_of(Writing::kUnits), 1);
  c.add(Writing::kUnits, 3, 0, 0.1);
  EXPECT_EQ(c.share_of(Writing::kProgram), 1);
}

// At equal cost the better way is drawn more often, at equal success the cheaper one.
TEST(DrawWriting, FollowsDesignsBetterThanTheirParentPerMoney) {
  Written better;
  better.add(Writing::kUnits, 9, 3, 0.1), better.add(Writing::kProgram, 2, 10, 0.1);
  EXPECT_GT(better.share_of(Writing::kUnits), 0.95);
  Written cheaper;
  cheaper.add(Writing::kUnits, 6, 6, 0.1), cheaper.add(Writing::kProgram, 6, 6, 0.02);
  EXPECT_GT(cheaper.share_of(Writing::kProgram), 0.95);
  Written costly;  // twice as often right, at five times the money
  costly.add(Writing::kUnits, 8, 4, 0.1), costly.add(Writing::kProgram, 4, 8, 0.02);
  EXPECT_GT(costly.share_of(Writing::kProgram), 0.9);
  Written free;  // without prices, tokens count
  free.add(Writing::kUnits, 6, 6, 0, 10'000), free.add(Writing::kProgram, 6, 6, 0, 2000);
  EXPECT_GT(free.share_of(Writing::kProgram), 0.95);
}

TEST(DrawWriting, TasksWithoutADesignCountWithTheirCost) {
  Written c;
  c.add(Writing::kUnits, 2, 1, 0.1);
  record::TaskReport failed = report_of(Writing::kUnits, 0.5);
  failed.cause = record::Cause::kUnit;
  c.end_task(c.begin_task(c.parent), failed);
  const WritingRecord r = writing_records(c.population, "agents").at(Writing::kUnits);
  EXPECT_EQ(r.tasks, 4);
  EXPECT_EQ(r.better, 2);
  EXPECT_NEAR(r.money, 0.8, 1e-9);
}

// Tasks that an endpoint or the cap ended cost nothing, so that their way would look cheap.
TEST(DrawWriting, WhatIsNotKnownOrNotTheWaysFaultCountsNothing) {
  Written c;
  c.add(Writing::kUnits, 1, 1, 0.1);
  c.design_by_agents(report_of(Writing::kUnits, 0.1), kStack, c.parent);  // not trained yet
  record::TaskReport waiting = report_of(Writing::kUnits, 0.1);
  waiting.outcome = record::TaskOutcome::kDesign;
  c.end_task(c.begin_task(c.parent), waiting);  // not screened yet
  record::TaskReport down = report_of(Writing::kUnits, 0);
  for (const record::Cause cause :
       {record::Cause::kChatDown, record::Cause::kChatKey, record::Cause::kCap, record::Cause::kScreener}) {
    down.cause = cause;
    c.end_task(c.begin_task(c.parent), down);
  }
  const auto records = writing_records(c.population, "agents");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records.at(Writing::kUnits).tasks, 2);
  EXPECT_NEAR(records.at(Writing::kUnits).money, 0.2, 1e-9);
  EXPECT_TRUE(writing_records(c.population, "direct").empty()) << "a strategy has a record of its own";
}

// Roles are worth what designs with them win per money, against designs without them.
TEST(DrawWriting, VariantsHaveRecordsOfTheirOwn) {
  Written c;
  c.add(Writing::kUnits, 2, 1, 0.1);
  record::TaskReport report = report_of(Writing::kUnits, 0.05);
  report.without = {"librarian", "reviewer"};
  c.run(c.design_by_agents(report, kStack, c.parent), 0, 1, 2.9);
  const auto records = variant_records(c.population);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records.at("units").tasks, 3);
  EXPECT_EQ(records.at("units without librarian, reviewer").better, 1);
  EXPECT_EQ(writing_records(c.population, "agents").at(Writing::kUnits).tasks, 4);
  CampaignReading reading{.population = c.population};
  const std::string text = agents_text(reading);
  EXPECT_NE(
      text.find("units                                         3       2        0.1000              6.67"),
      std::string::npos)
      << text;
}

// Returns how often each design is drawn as the first parent, by id.
std::map<std::int64_t, double> shares_of_parents(const SmallCampaign& c) {
  std::map<std::int64_t, double> out;
  for (int i = 0; i < kDraws; ++i) {
    Random random(static_cast<std::uint64_t>(i));
    const auto parents = draw_parents(c.population, "agents", random);
    EXPECT_LE(parents.size(), 2U);
    EXPECT_TRUE(parents.size() < 2 || parents[0] != parents[1]);
    if (!parents.empty()) out[parents[0]->created.id] += 1.0 / kDraws;
  }
  return out;
}

TEST(DrawParents, BetterDesignsAreDrawnMoreOften) {
  SmallCampaign c;
  std::vector<std::int64_t> ranked;
  for (const double bits : {2.5, 2.6, 2.7, 2.8}) {
    ranked.push_back(c.design("agents", kStack, record::Operator::kNewUnit));
    c.run(ranked.back(), 0, 1, bits);
  }
  auto shares = shares_of_parents(c);
  // 0.8^rank, divided by 1 + 0.8 + 0.64 + 0.512.
  const double expected[] = {0.339, 0.271, 0.217, 0.173};
  for (std::size_t rank = 0; rank < ranked.size(); ++rank)
    EXPECT_NEAR(shares[ranked[rank]], expected[rank], 0.035) << "rank " << rank;
}

TEST(DrawParents, DesignsWithoutAScoreAndThoseOfOtherTasksAreNotDrawn) {
  SmallCampaign c;
  const std::int64_t scored = c.design("agents", kStack), other = c.design("agents", kStack),
                     lost = c.design("agents", kStack), vetoed = c.design("agents", kStack);
  c.design("agents", kStack);                      // without a run
  c.run(c.design("adaptive", kStack), 0, 1, 2.0);  // of another strategy
  c.run(scored, 0, 1, 2.5);
  c.run(other, 0, 1, 2.6);
  c.run(lost, 0, 1, 9, record::Purpose::kRung, record::Status::kRefused);
  c.run(vetoed, 0, 1, 2.4);
  ASSERT_TRUE(
      c.population.apply(record::Steered{.key = "1", .what = record::Steering::kVeto, .design = vetoed}));
  auto shares = shares_of_parents(c);
  EXPECT_EQ(shares.size(), 2U);
  EXPECT_GT(shares[scored], shares[other]);
  const std::int64_t task = c.begin_task(scored);
  EXPECT_EQ(shares_of_parents(c).count(scored), 0U) << "a task works on it";
  c.begin_task(other);
  EXPECT_EQ(shares_of_parents(c).size(), 2U) << "there are no others";
  record::TaskReport failed;
  failed.cause = record::Cause::kPlan;
  c.end_task(task, failed);
  EXPECT_EQ(shares_of_parents(c).count(other), 0U);
  EXPECT_EQ(shares_of_parents(c).count(scored), 1U);
}

TEST(DrawParents, NoneAreDrawnWithoutScores) {
  SmallCampaign c;
  c.design("agents", kStack);
  EXPECT_TRUE(shares_of_parents(c).empty());
}

}  // namespace
}  // namespace gabbro::campaign
