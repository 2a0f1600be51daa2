// Tests of what agents are told of a campaign.
#include "campaign/lessons.h"

#include <gtest/gtest.h>

#include "evolve/small_campaign.h"

namespace gabbro::campaign {
namespace {

using evolve::SmallCampaign;

const evolve::Individual& get(const SmallCampaign& c, std::int64_t id) { return c.population.individual(id); }

// A unit is worth what pairs of a design with it and one without differ by, not what its designs score.
TEST(Lessons, UnitsAreWorthTheDifferenceOfPairs) {
  SmallCampaign c;
  const auto run = [&](const std::string& mixer, std::int64_t parent, double bits) {
    const std::int64_t id = c.design("adaptive", "[2 * Block(mixer=" + mixer + ", mlp=SwiGLU), RMSNorm]",
                                     record::Operator::kNewUnit, parent);
    c.run(id, 0, 1, bits);
    return id;
  };
  const std::int64_t bad = run("GQA", 0, 4.0), good = run("GQA", 0, 2.0);
  run("GLA", bad, 3.9);   // bad designs with it are worse than good ones without
  run("GLA", good, 1.9);  // but it helps both
  const auto lines = unit_worth_lines(c.population, {});
  ASSERT_FALSE(lines.empty());
  bool found = false;
  for (const std::string& line : lines)
    if (line.starts_with("GLA: -0.1000")) found = true;
  EXPECT_TRUE(found) << lines.front();
  EXPECT_NE(lines.front().find("2 pairs"), std::string::npos) << lines.front();
}

TEST(Lessons, AStopAtAHurdleIsNoVerdict) {
  SmallCampaign c;
  const std::string stack = "[2 * Block(mixer=GQA, mlp=SwiGLU), RMSNorm]";
  const std::int64_t parent = c.design("adaptive", stack),
                     child = c.design("adaptive", stack, record::Operator::kNewUnit, parent);
  c.run(parent, 0, 1, 3.0);
  c.run(child, 0, 1, 2.9, record::Purpose::kRung, record::Status::kHurdle);
  const auto lines = history_lines(c.population, get(c, child));
  ASSERT_FALSE(lines.empty());
  EXPECT_NE(lines[0].find("a run was stopped early; after 50 % of the tokens"), std::string::npos)
      << lines[0];
}

TEST(Lessons, TheTaskIsStated) {
  SmallCampaign c;
  const std::int64_t baseline = c.design("baseline", "[2 * Block(mixer=GQA, mlp=SwiGLU), RMSNorm]");
  c.run(baseline, 0, 1, 3.0);
  const auto lines = ladder_lines(c.population);
  ASSERT_EQ(lines.size(), 2U);
  for (const char* part :
       {"20k parameters", "1k training tokens", "8 x 128 tokens", "vocabulary of 64", "3.0000"})
    EXPECT_NE(lines[0].find(part), std::string::npos) << part << ": " << lines[0];
  EXPECT_EQ(lines[1].find("best baseline"), std::string::npos) << lines[1];
}

}  // namespace
}  // namespace gabbro::campaign
