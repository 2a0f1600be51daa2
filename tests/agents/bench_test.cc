// Tests of the pipeline benchmark: briefs follow from the seed, every variant works on every brief, and
// results are ordered by brief and variant, regardless of which task ends first.
#include "agents/bench.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "agents/expected.h"
#include "agents/pieces.h"

namespace gabbro::agents {
namespace {

using namespace testing;

TEST(Bench, BriefsFollowFromTheSeed) {
  const auto a = bench_briefs(60, 1, {}), b = bench_briefs(60, 1, {}), c = bench_briefs(60, 2, {});
  ASSERT_EQ(a.size(), 60U);
  std::set<std::string> parents;
  std::set<std::int64_t> tasks;
  int other = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].mode, b[i].mode);
    EXPECT_EQ(a[i].parents.size(), a[i].mode == record::Mode::kMutation    ? 1U
                                   : a[i].mode == record::Mode::kCrossover ? 2U
                                                                           : 0U);
    for (const Parent& p : a[i].parents) parents.insert(p.name);
    if (a[i].parents.size() == 2) {
      EXPECT_NE(a[i].parents[0].name, a[i].parents[1].name);
    }
    tasks.insert(a[i].task);
    tasks.insert(c[i].task);
    const auto names = [](const Brief& brief) {
      std::string out;
      for (const Parent& p : brief.parents) out += p.name + " ";
      return out;
    };
    EXPECT_EQ(names(a[i]), names(b[i]));
    other += names(a[i]) != names(c[i]) ? 1 : 0;
  }
  EXPECT_EQ(tasks.size(), 120U);
  EXPECT_GT(other, 40);
  EXPECT_GT(parents.size(), 15U);
}

AgentSettings only_mutation() {
  AgentSettings s;
  s.modes = {.mutation = 1, .crossover = 0, .scratch = 0};
  return s;
}

// Scripts replies that succeed at once, for a change at a place that every design of the zoo has.
void script_zoo_mutation(Script& s) {
  script_success(s);
  std::string proposal = kProposal;
  const auto replace = [](std::string& text, std::string_view from, std::string_view to) {
    text.replace(text.find(from), from.size(), to);
  };
  replace(proposal, "stack.0.*.mixer", "stack.0");
  replace(proposal, ", \"OutputGate\"", "");
  s.lines["proposer"] = {proposal};
}

TEST(Bench, EveryVariantWorksOnEveryBrief) {
  Script s;
  script_zoo_mutation(s);
  AgentSettings settings = only_mutation();
  settings.tasks = 3;
  const auto variants = bench_variants(settings);
  ASSERT_EQ(variants.size(), 10U);
  int told = 0;
  const auto results = run_bench(
      variants, bench_briefs(4, 1, settings), {s, zoo::library(), settings}, [] { return false; },
      [&](const PipelineBenchResult&) { ++told; });
  ASSERT_EQ(results.size(), 40U);
  EXPECT_EQ(told, 40);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const PipelineBenchResult& r = results[i];
    EXPECT_TRUE(r.done);
    EXPECT_EQ(r.brief, static_cast<int>(i / 10));
    EXPECT_EQ(r.variant, static_cast<int>(i % 10));
    const std::string& name = variants[static_cast<std::size_t>(r.variant)].name;
    // For whole programs the reply contains a unit but no design. The other variants make designs from it;
    // without a planner the unit itself replaces the first element of the stack.
    const bool is_whole = r.report.writing != record::Writing::kUnits;
    EXPECT_EQ(r.report.outcome, is_whole ? record::TaskOutcome::kFailed : record::TaskOutcome::kDesign)
        << name << ": " << word_of(r.report.cause) << r.report.detail;
    // The rating of the observer; 0: it was not asked.
    EXPECT_EQ(r.report.observation, is_whole || name == "no observer" ? 0 : 5);
  }
  std::set<std::int64_t> tasks;
  int grammars = 0, without = 0;
  for (const chat::ChatRequest& q : s.asked) {
    tasks.insert(q.task);
    if (q.role == "coder") ++(q.grammar.empty() ? without : grammars);
  }
  EXPECT_EQ(tasks.size(), 40U);
  EXPECT_GE(grammars, 16) << "4 briefs each of units, no checker, no planner and no observer";
  EXPECT_GE(without, 8) << "4 briefs each of whole programs and no grammar";
}

TEST(Bench, TasksThatSayNothingAreNotDone) {
  Script s;
  script_zoo_mutation(s);
  AgentSettings settings = only_mutation();
  settings.tasks = 1;
  int done = 0;
  const auto results = run_bench(
      bench_variants(settings), bench_briefs(4, 1, settings), {s, zoo::library(), settings},
      [&] { return done == 7; }, [&](const PipelineBenchResult&) { ++done; });
  EXPECT_EQ(done, 7);
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].done, i < 7);
  for (const char* code : {"cap", "chat down", "chat key"}) {
    Script t;
    script_zoo_mutation(t);
    t.lines["proposer"] = {Error{code, "as the test says", "", {}}};
    const auto none = run_bench({{"units", settings}}, bench_briefs(3, 1, settings),
                                {t, zoo::library(), settings}, [] { return false; }, {});
    for (const auto& r : none) EXPECT_FALSE(r.done);
    EXPECT_EQ(none[0].report.cause, record::parse_word<record::Cause>(code));
    EXPECT_EQ(t.asked.size(), 1U) << "no further task begins";
  }
}

TEST(Bench, TokensOfFailedTasksCountForTheValidDesigns) {
  std::vector<PipelineBenchResult> results(4);
  for (PipelineBenchResult& r : results) r.done = true, r.report.input_tokens = 900, r.report.cost = 0.5;
  results[0].report.outcome = results[1].report.outcome = record::TaskOutcome::kDesign;
  results[1].report.output_tokens = 300;
  results[3].variant = 1;
  const auto spent = per_valid_design(results, 0);
  ASSERT_TRUE(spent);
  EXPECT_EQ(spent->tokens, 1500);
  EXPECT_EQ(spent->cost, 0.75);
  EXPECT_FALSE(per_valid_design(results, 1)) << "no valid design";
}

TEST(DesignCost, FollowsTheTasksThatEnded) {
  const auto config = chat::parse_config(
      "[[endpoint]]\nname = \"e\"\nurl = \"http://h/v1\"\n[[model]]\nname = \"m\"\nendpoint = \"e\"\n"
      "model = \"m\"\ninput = 1\noutput = 10\n");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  const DesignCost first = design_cost(*config, {}, {});
  EXPECT_GT(first.tokens, 5000);
  EXPECT_GT(first.money, 0);
  const auto tokens_after = [&](std::int64_t designs, double tokens) {
    return design_cost(
               *config, {},
               {.designs = designs, .tokens = static_cast<std::int64_t>(tokens), .money = tokens / 1e6})
        .tokens;
  };
  EXPECT_EQ(tokens_after(0, 100), first.tokens) << "a failed task that cost little says little";
  EXPECT_EQ(tokens_after(0, 1e6), 1e6) << "a design takes at least what was spent without one";
  EXPECT_EQ(tokens_after(1, 90'000), 90'000) << "a design that cost more moves the estimate for the next";
  EXPECT_EQ(tokens_after(3, 9000), 3000);
  EXPECT_DOUBLE_EQ(design_cost(*config, {}, {.designs = 2, .tokens = 1, .money = 0.5}).money, 0.25);
}

TEST(Bench, WilsonIntervals) {
  // The expected values are from Newcombe 1998, table I: 81 of 263: 0.2553 to 0.3662; 15 of 148: 0.0624 to
  // 0.1605; 0 of 20: 0 to 0.1611; 1 of 29: 0.0061 to 0.1718.
  const struct {
    int k, n;
    double low, high;
  } cases[] = {
      {81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
  for (const auto& c : cases) {
    const Share s = wilson(c.k, c.n);
    EXPECT_NEAR(s.low, c.low, 5e-5);
    EXPECT_NEAR(s.high, c.high, 5e-5);
  }
  EXPECT_EQ(wilson(0, 0).high, 1);
}

}  // namespace
}  // namespace gabbro::agents
