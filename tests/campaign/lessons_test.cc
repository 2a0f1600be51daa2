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

// Joins lines, for tests of what they say.
std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

constexpr const char* kGqa = "[2 * Block(mixer=GQA, mlp=SwiGLU), RMSNorm]";
constexpr const char* kGla = "[2 * Block(mixer=GLA, mlp=SwiGLU), RMSNorm]";

TEST(Lessons, TheBestDesignsComeFirst) {
  SmallCampaign c;
  const auto run = [&](const char* source, double bits) {
    const std::int64_t id = c.design(source, kGqa);
    c.run(id, 0, 1, bits);
    return id;
  };
  const std::int64_t baseline = run("baseline", 2.8), third = run("adaptive", 2.9), best = run("agents", 2.7),
                     vetoed = run("agents", 2.5);
  run("control", 2.6), run("adaptive", 3.0), run("ablation", 2.4);
  c.design("agents", kGqa);  // without a run
  const std::int64_t lost = c.design("agents", kGqa);
  c.run(lost, 0, 1, 2.3, record::Purpose::kRung, record::Status::kRefused);
  ASSERT_TRUE(
      c.population.apply(record::Steered{.key = "1", .what = record::Steering::kVeto, .design = vetoed}));
  std::vector<std::int64_t> ids;
  for (const evolve::Individual* i : best_designs(c.population, 3)) ids.push_back(i->created.id);
  EXPECT_EQ(ids, (std::vector<std::int64_t>{best, baseline, third}));
}

TEST(Lessons, EvidenceIsScoresCurveCostsAndAblations) {
  SmallCampaign c;
  const std::int64_t baseline = c.design("baseline", kGqa), design = c.design("agents", kGla);
  for (const std::uint64_t seed : {1, 2}) c.run(baseline, 0, seed, 3.0), c.run(design, 0, seed, 2.9);
  c.run(design, 1, 1, 2.5);
  c.run(design, 0, 3, 9, record::Purpose::kRung, record::Status::kHurdle);
  const std::string text = joined(evidence_lines(c.population, get(c, design)));
  for (const char* part :
       {"low parameters, 1k tokens: 2.9000 bits per byte on 2 seeds, -0.1000 against the best baseline, M1",
        "stopped early, its loss was among the worst",
        "high parameters, 2k tokens: 2.5000 bits per byte on 1",
        "training loss at every eighth of the first run: 5", "costs: 2k FLOPs a token in training",
        "it mixes by attention"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(text.find("2.5000 bits per byte on 1 seed,"), std::string::npos) << "no baseline has run there";
  record::DesignCreated ablation;
  ablation.id = 3;
  ablation.program = "design A:\n    stack = " + std::string(kGqa) + "\n";
  ablation.origin = record::Origin::kAblation;
  ablation.parent = design;
  ablation.provenance.description = "without GLA";
  ASSERT_TRUE(c.population.apply(ablation));
  for (const std::uint64_t seed : {1001, 1002}) {
    c.run(design, 1, seed, 2.5, record::Purpose::kFinal);
    c.run(ablation.id, 1, seed, 2.6 + 0.01 * static_cast<double>(seed % 2), record::Purpose::kAblation);
  }
  const std::string after = joined(evidence_lines(c.population, get(c, design)));
  EXPECT_NE(after.find("without GLA: +0.1050 ["), std::string::npos) << after;
}

// Reviewers hear how their forecasts came out, so that they can calibrate.
TEST(Lessons, ForecastsAreShownBesideTheirOutcomes) {
  SmallCampaign c;
  const std::int64_t parent = c.design("baseline", kGqa);
  c.run(parent, 0, 1, 3.0);
  const auto review = [&](const char* title, double probability) {
    record::TaskReport report;
    report.title = title;
    report.reviews = {{.model = "judge", .probability = probability, .rating = 4, .text = "", .known = ""}};
    return c.design_by_agents(report, kGla, parent);
  };
  EXPECT_TRUE(forecast_lines(c.population).empty());
  c.run(review("Gated state", 0.7), 0, 1, 2.9);
  c.run(review("Narrow window", 0.5), 0, 1, 3.2);
  review("Not yet trained", 0.9);
  const std::vector<std::string> lines = forecast_lines(c.population);
  ASSERT_EQ(lines.size(), 3U) << joined(lines);
  EXPECT_EQ(lines[0], "judge: 60 % on average over 2 forecasts; 1 of them beat their parent");
  EXPECT_TRUE(lines[1].starts_with("#2 Gated state: judge said 70 %; it did: -0.1000 bits per byte against"))
      << lines[1];
  EXPECT_TRUE(lines[2].starts_with("#3 Narrow window: judge said 50 %; it did not: +0.2000")) << lines[2];
}

TEST(Lessons, NeighboursAreTheNearestDesignsWithTheirScores) {
  SmallCampaign c;
  const std::int64_t parent = c.design("baseline", kGqa), far = c.design("adaptive", "[8 * GLA, LayerNorm]"),
                     near = c.design("adaptive", "[3 * Block(mixer=GQA, mlp=SwiGLU), RMSNorm]");
  c.run(near, 0, 1, 2.9);
  c.run(far, 0, 1, 9, record::Purpose::kRung, record::Status::kRefused);
  auto lines = neighbour_lines(c.population, &get(c, parent));
  ASSERT_EQ(lines.size(), 2U) << "not the parent itself";
  EXPECT_NE(lines[0].find("3 * Block"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find("(2.9000 bits per byte)"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("8 * GLA"), std::string::npos) << lines[1];
  EXPECT_NE(lines[1].find("(lost)"), std::string::npos) << lines[1];
  // Without a parent, the best come first.
  lines = neighbour_lines(c.population, nullptr);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(lines[0].find("(2.9000 bits per byte)"), std::string::npos) << lines[0];
}

// Neighbours that operators made are known by what they changed and what that did, with its noise.
TEST(Lessons, NeighboursOfOperatorsSayWhatWasChanged) {
  SmallCampaign c;
  const std::int64_t parent = c.design("baseline", kGqa),
                     child = c.design("adaptive", kGla, record::Operator::kReplaceSubtree, parent);
  c.run(parent, 0, 1, 3.0), c.run(child, 0, 1, 2.9);
  const auto lines = neighbour_lines(c.population, &get(c, parent));
  ASSERT_EQ(lines.size(), 1U);
  for (const char* part : {"#2 replace_subtree of M1: ", "(2.9000 bits per byte)", "`GQA` became `GLA`",
                           "outcome: -0.1000 bits per byte against M1 on 1 seed (two runs of one design"})
    EXPECT_NE(lines[0].find(part), std::string::npos) << part << ": " << lines[0];
}

// A grandparent's objections, observations and width are as much of a lesson as a parent's.
TEST(Lessons, AncestorsAreToldInFull) {
  SmallCampaign c;
  const std::int64_t baseline = c.design("baseline", kGqa);
  c.run(baseline, 0, 1, 3.0);
  record::TaskReport report;
  report.title = "Leaky state";
  report.proposal = "Leaky state\n\nA state forgets" + std::string(40, ' ') + std::string(200, 'x') + " end.";
  report.reviews = {
      {.model = "judge", .probability = 0.3, .rating = 4, .text = "- it saturates", .known = ""}};
  report.observed = "- the gate is missing";
  report.promises = {{.property = record::Property::kState, .said = "bounded", .found = "grows"}};
  const std::int64_t grandparent = c.design_by_agents(report, kGla, baseline),
                     parent = c.design("adaptive", "[3 * Block(mixer=GLA, mlp=SwiGLU), RMSNorm]",
                                       record::Operator::kDuplicate, grandparent),
                     child = c.design("agents", kGla, {}, parent);
  record::TrialResult result;
  result.status = record::Status::kDone;
  result.bits_per_byte = 2.9;
  result.documents = {{2.9, 1000}, {2.9, 1000}};
  result.width = 60;
  c.end(c.begin(grandparent, 0, 1), result);
  const std::string text = joined(history_lines(c.population, get(c, child)));
  for (const char* part :
       {"#2 Leaky state: mutation by agents, trained at width 60; Leaky state", " end.; outcome: -0.1000",
        "of #2: its reviewer (30 % to beat its parent) objected: - it saturates",
        "of #2: the program departs from the proposal: - the gate is missing",
        "of #2: broken promise: state bounded, found grows",
        "#3 duplicate of #2 Leaky state: ", "`2 turns` became `3 turns`"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

TEST(Lessons, DesignsHaveNamesThatSaySomething) {
  SmallCampaign c;
  const std::int64_t baseline = c.design("baseline", kGqa);
  record::TaskReport report;
  report.title = "A state whose decay depends on the token before it and on the one before that";
  const std::int64_t agents = c.design_by_agents(report, kGla, baseline),
                     child = c.design("adaptive", kGla, record::Operator::kReplaceSubtree, agents),
                     grandchild = c.design("adaptive", kGla, record::Operator::kSetHyper, child),
                     fresh = c.design("adaptive", kGla), user = c.design("user", kGla);
  const auto name = [&](std::int64_t id) { return name_in_prompts(c.population, get(c, id)); };
  EXPECT_EQ(name(baseline), "M1");
  EXPECT_EQ(name(agents), "A state whose decay depends on the token before it and on the one ...");
  EXPECT_EQ(name(child), "replace_subtree of #2 " + name(agents));
  EXPECT_EQ(name(grandchild), "set_hyper of #3");
  EXPECT_EQ(name(fresh), "M5");
  EXPECT_EQ(name(user), "M6");
}

}  // namespace
}  // namespace gabbro::campaign
