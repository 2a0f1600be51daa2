// Tests of the pipeline with scripted replies: the designs that it makes, and every way in which it can fail.
#include "agents/pipeline.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agents/pieces.h"
#include "base/random.h"
#include "edit/edit.h"
#include "lang/check.h"

namespace gabbro::agents {
namespace {

using namespace testing;

lang::CheckReport checked(const record::TaskReport& r) { return lang::check(r.program, zoo::library()); }

TEST(Pipeline, MutationPutsANewUnitInItsPlace) {
  Script s;
  script_success(s);
  const auto r = run(s, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(r.title, "Leaky memory in place of attention");
  EXPECT_EQ(r.calls, 5);
  EXPECT_EQ(r.attempts, 1);
  EXPECT_EQ(r.observation, 5);
  EXPECT_NEAR(r.cost, 0.005, 1e-12);
  ASSERT_EQ(r.promises.size(), 3U);
  for (const auto& p : r.promises) EXPECT_TRUE(p.kept) << record::word_of(p.property) << ": " << p.found;
  ASSERT_EQ(r.reviews.size(), 1U);
  EXPECT_EQ(r.reviews[0].rating, 4);
  ASSERT_EQ(r.units.size(), 1U);
  EXPECT_EQ(r.units[0].valid, 1);
  const auto report = checked(r);
  ASSERT_TRUE(report.valid()) << r.program;
  ASSERT_EQ(report.subjects.size(), 1U);
  EXPECT_EQ(report.subjects[0].name, "LeakyMemoryInPlaceOfAttention");
  EXPECT_FALSE(report.subjects[0].facts.state_grows);
  EXPECT_NE(r.program.find("mixer=LeakyMemory(mult=2)"), std::string::npos) << r.program;
  EXPECT_EQ(r.program.find("unit Attention"), std::string::npos) << "nobody reads the old mixer";
}

TEST(Pipeline, MutationMayRewriteAUnitOfTheParent) {
  Brief brief = mutation();
  brief.parents[0].program =
      "unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return linear(shift(x, 1), D)\n\n"
      "design Old:\n    stack = [4 * Block(mixer=LeakyMemory), RMSNorm]\n";
  Script s;
  script_success(s);
  const auto r = run(s, brief);
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(r.program.find("shift(x, 1)"), std::string::npos);
  EXPECT_NE(r.program.find("scan S"), std::string::npos);
}

TEST(Pipeline, CrossoverJoinsTwoParents) {
  Script s;
  script_success(s);
  s.lines["proposer"] = {
      R"json({"title": "Half attention half recurrence", "idea": "A gate mixes the attention of one parent with the recurrence of the other.",
      "place": "stack.0.*.mixer", "from": "stack.0.*.mixer", "units": ["Blend"], "reach": "all", "state": "grows", "complexity": "O(T^2)",
      "gain": 0.01, "why": "both may learn the same"})json"};
  s.lines["planner"] = {
      R"json({"units": [{"name": "Blend", "inputs": ["x"], "results": [], "uses": [], "does": "g a(x) + (1 - g) b(x)"}],
      "instance": "Blend(a=Attention(heads=2, groups=2), b=GLA(heads=2))"})json"};
  s.lines["coder"] = {
      "unit Blend(x: [t, D], a: Unit = Attention, b: Unit = GLA) -> [t, D]:\n    g = sigmoid(linear(x, D))\n"
      "    return g * a(x) + (1 - g) * b(x)\n"};
  const auto r = run(s, crossover());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  const auto report = checked(r);
  ASSERT_TRUE(report.valid());
  EXPECT_TRUE(report.subjects[0].facts.state_grows);
  EXPECT_TRUE(edit::find_unit(report.program, "Blend"));
  EXPECT_TRUE(edit::find_unit(report.program, "GLA")) << "the second parent's unit comes with it";
}

TEST(Pipeline, CrossoverWithoutNewUnitsNeedsNoCoder) {
  Script s;
  script_success(s);
  s.lines["proposer"] = {
      R"({"title": "GLA for attention", "idea": "The recurrence of the second parent in the first.", "place": "stack.0.*.mixer",
      "from": "stack.0.*.mixer", "units": []})"};
  const auto r = run(s, crossover());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(s.count("planner") + s.count("coder"), 0);
  EXPECT_NE(r.program.find("mixer=GLA"), std::string::npos);
}

TEST(Pipeline, WithoutAPlannerTheProposerMayRenameItsUnits) {
  Script s;
  script_success(s);
  s.lines["proposer"] = {
      R"({"title": "A taken name", "idea": "A unit named as the design of the parent.", "place": "stack.0.*.mixer", "from": "", "units": ["Llama"]})",
      without_gate()};
  AgentSettings settings;
  settings.planner = false;
  const auto r = run(s, mutation(), settings);
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(r.attempts, 2);
  EXPECT_NE(s.last_said_to("proposer", 1).find("the name Llama is taken by a parent"), std::string::npos);
}

TEST(Pipeline, AMutationByOneUnitNeedsNoPlanner) {
  Script s;
  script_success(s);
  s.lines["proposer"] = {without_gate()};
  const auto r = run(s, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(s.count("planner"), 0);
  EXPECT_NE(r.program.find("mixer=LeakyMemory"), std::string::npos) << r.program;
}

TEST(Pipeline, ObjectionsOfAReviewThatPassesReachPlannerAndCoder) {
  Script s;
  script_success(s);
  ASSERT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign);
  for (const char* role : {"planner", "coder"})
    EXPECT_NE(s.last_said_to(role, 0).find("the gate may saturate"), std::string::npos) << role;
}

TEST(Pipeline, TheCoderSeesUnitsThatDoWhatIsWanted) {
  Script s;
  script_success(s);
  s.lines["planner"] = {
      R"json({"units": [{"name": "LeakyMemory", "inputs": ["x"], "results": [], "uses": [],
      "does": "retention: a matrix state with a fixed decay for each head, as in a retentive network"}],
      "instance": "LeakyMemory"})json"};
  ASSERT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign);
  EXPECT_NE(s.last_said_to("coder", 0).find("unit Retention("), std::string::npos)
      << s.last_said_to("coder", 0);
}

// Each token costs in every repair: no text stands in a prompt twice, and scores are for those who judge.
TEST(Pipeline, PlannerAndCoderGetProgramsWithoutMeasurementsOrRepetitions) {
  Script s;
  script_success(s);
  Brief brief = mutation();
  brief.parents[0].program = zoo_text("retnet.gab");
  std::string proposal = kProposal;
  const std::string idea = "\"idea\": \"";
  proposal.insert(proposal.find(idea) + idea.size(), "retention with decays of the state and rotated keys ");
  s.lines["proposer"] = {proposal};
  run(s, brief);
  for (const char* role : {"planner", "coder"}) {
    const std::string prompt = s.last_said_to(role, 0);
    EXPECT_EQ(prompt.find("Measured:"), std::string::npos) << prompt;
    const std::size_t once = prompt.find("unit Retention(");
    EXPECT_NE(once, std::string::npos) << prompt;
    EXPECT_EQ(prompt.find("unit Retention(", once + 1), std::string::npos) << prompt;
  }
  EXPECT_NE(s.last_said_to("proposer", 0).find("Measured:"), std::string::npos);
}

TEST(Pipeline, RolesAreToldTheTaskAndWhatCameOfEarlierDesigns) {
  Brief brief = mutation();
  brief.ladder = {"rung 1 of 1: 150k parameters"};
  brief.parents[0].history = {"a child of Mamba-2; outcome: -0.0123 bits per byte"};
  brief.forecasts = {"someone said 70 %; it did not"};
  Script s;
  script_success(s);
  ASSERT_EQ(run(s, brief).outcome, record::TaskOutcome::kDesign);
  const auto told = [&](const char* role, const char* text) {
    return s.last_said_to(role, 0).find(text) != std::string::npos;
  };
  for (const char* role : {"proposer", "reviewer", "planner"})
    EXPECT_TRUE(told(role, "150k parameters")) << role;
  for (const char* role : {"proposer", "reviewer"}) {
    EXPECT_TRUE(told(role, "a child of Mamba-2")) << role;
    EXPECT_TRUE(told(role, "unit SwiGLU(")) << role << " is shown what the parent takes from the library";
  }
  EXPECT_TRUE(told("reviewer", "it did not"));
  EXPECT_FALSE(told("proposer", "it did not"));
}

TEST(Pipeline, FromScratchMakesAWholeDesign) {
  Script s;
  script_success(s);
  s.lines["planner"] = {
      R"json({"units": [{"name": "LeakyMemory", "inputs": ["x"], "results": [], "uses": [], "does": "a leaky state"},
      {"name": "Twice", "inputs": ["x"], "results": [], "uses": ["LeakyMemory"], "does": "two memories, one after the other"}],
      "instance": "[6 * Block(mixer=Twice), RMSNorm]"})json"};
  s.lines["coder"] = {
      kUnit, "unit Twice(x: [t, D], inner: Unit = LeakyMemory) -> [t, D]:\n    return inner(inner(x))\n"};
  const auto r = run(s, scratch());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_TRUE(checked(r).valid());
  EXPECT_EQ(r.units.size(), 2U);
  EXPECT_NE(s.last_said_to("coder", 1).find("unit LeakyMemory"), std::string::npos)
      << "it sees what is written";
}

TEST(Pipeline, EqualBriefsAndRepliesMakeEqualReports) {
  Script a, b;
  script_success(a);
  script_success(b);
  EXPECT_EQ(to_json(run(a, mutation())), to_json(run(b, mutation())));
  ASSERT_EQ(a.asked.size(), b.asked.size());
  for (std::size_t i = 0; i < a.asked.size(); ++i)
    for (std::size_t k = 0; k < a.asked[i].messages.size(); ++k)
      EXPECT_EQ(a.asked[i].messages[k].text, b.asked[i].messages[k].text);
}

TEST(Pipeline, ErrorsOfChatEndTheTaskWithTheirCode) {
  for (const char* code : {"stopped", "cap", "chat down", "chat key", "chat reply", "replay"})
    for (const char* role : {"proposer", "reviewer", "planner", "coder", "observer"}) {
      Script s;
      script_success(s);
      s.lines[role] = {Error{code, "as the test says", "", {}}};
      const auto r = run(s, mutation());
      EXPECT_EQ(r.outcome, record::TaskOutcome::kFailed);
      EXPECT_EQ(r.cause, record::parse_word<record::Cause>(code)) << role;
      EXPECT_EQ(r.detail, "as the test says");
      EXPECT_EQ(s.count(role), 1) << "nobody asks again after " << code;
    }
}

// Calls that ended without a reply may be billed, so that the report of a task counts them.
TEST(Pipeline, FailedCallsAreInTheReport) {
  Script s;
  script_success(s);
  const auto without = run(s, mutation());
  Script t;
  script_success(t);
  t.failed = {.calls = 2, .input_tokens = 700, .output_tokens = 30, .cost = 0.5};
  const auto with = run(t, mutation());
  EXPECT_EQ(with.calls, without.calls + 2);
  EXPECT_EQ(with.input_tokens, without.input_tokens + 700);
  EXPECT_EQ(with.output_tokens, without.output_tokens + 30);
  EXPECT_DOUBLE_EQ(with.cost, without.cost + 0.5);
  t.lines["proposer"] = {Error{"chat down", "no endpoint answers", "", {}}};
  EXPECT_EQ(run(t, mutation()).input_tokens, 700);
}

// Every role's object survives nulls, numbers as words, lists as text, a schema before it and a wrapper.
TEST(Pipeline, RepliesAreReadAsTheyAreMeant) {
  const auto changed = [](const std::string& text, const char* how) {
    auto j = nlohmann::json::parse(text);
    const std::string way = how;
    if (way == "nulls")
      for (const char* name : {"from", "unit", "change", "results", "uses", "why"})
        if (j.contains(name)) j[name] = nullptr;
    if (way == "words")
      for (const char* name : {"rating", "probability", "gain"})
        if (j.contains(name)) j[name] = "about " + j[name].dump();
    if (way == "text")
      for (auto& [name, value] : j.items())
        if (value.is_structured()) value = value.dump();
    if (way == "wrapped") j = {{"reply", j}};
    return way == "echo"
               ? R"({"type": "object", "properties": {"title": {"type": "string"}}})" + ("\n" + j.dump())
               : j.dump();
  };
  for (const char* how : {"nulls", "words", "text", "wrapped", "echo"}) {
    Script s;
    script_success(s);
    for (auto& [role, said] : s.lines)
      if (role != "coder") said = {changed(said.front().text, how)};
    const auto r = run(s, mutation());
    EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << how << ": " << r.detail;
    EXPECT_EQ(s.asked.size(), 5U) << how << ": nothing is asked again";
  }
}

TEST(Pipeline, ALongConversationIsShortenedOnceThenFails) {
  Brief brief = mutation();
  brief.credit = {std::string(3000, 'c')};
  Script s;
  script_success(s);
  const std::size_t prefix = system_prompt(Knowledge::kUnits).size();
  // This is enough for the proposer without the credit section, but too little for the coder in any case.
  s.context = prefix + 4500;
  const auto r = run(s, brief);
  EXPECT_EQ(r.cause, record::Cause::kChatContext);
  ASSERT_GE(s.asked.size(), 2U);
  EXPECT_NE(s.asked[0].messages[1].text.find("ccc"), std::string::npos);
  EXPECT_EQ(s.asked[1].messages[1].text.find("ccc"), std::string::npos);
  EXPECT_EQ(r.attempts, 1) << "the shortened proposal was accepted";
  EXPECT_EQ(s.count("coder"), 2);
}

TEST(Pipeline, AReviewerThatNeverApprovesEndsAfterTenAttempts) {
  Script s;
  script_success(s);
  s.lines["reviewer"] = {review_reply(2)};
  const auto r = run(s, mutation());
  EXPECT_EQ(r.cause, record::Cause::kReview);
  EXPECT_EQ(r.attempts, 10);
  EXPECT_EQ(s.count("planner"), 0);
  EXPECT_NE(s.last_said_to("proposer", 1).find("the gate may saturate"), std::string::npos)
      << "objections go back to the proposer";
  EXPECT_LE(s.asked.back().messages.size(), 4U) << "only the last attempt is carried on";
}

TEST(Pipeline, ARevisedProposalMayPass) {
  Script s;
  script_success(s);
  s.lines["reviewer"] = {review_reply(3), review_reply(4)};
  const auto r = run(s, mutation());
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign);
  EXPECT_EQ(r.attempts, 2);
  ASSERT_EQ(r.reviews.size(), 1U) << "only those of the accepted proposal are kept";
  EXPECT_EQ(r.reviews[0].rating, 4);
}

TEST(Pipeline, DuplicatesAreRefusedBeforeReview) {
  Brief brief = mutation();
  brief.proposals = {
      "Attention replaced by a leaky memory\n\nA state that decays by a learned gate and takes the current "
      "value; it is read through a second "
      "gate, so decoding needs no cache.\n\nPlace: stack.0.*.mixer\nPromised: reach all\n"};
  Script s;
  script_success(s);
  const auto r = run(s, brief);
  EXPECT_EQ(r.cause, record::Cause::kDuplicate);
  EXPECT_EQ(s.count("reviewer"), 0);
  EXPECT_EQ(r.attempts, 10);
  brief.proposals = {"Wider mlp\n\nSwiGLU with another ratio of widths and squared activations.\n"};
  Script t;
  script_success(t);
  EXPECT_EQ(run(t, brief).outcome, record::TaskOutcome::kDesign);
}

TEST(Pipeline, ARefusedDesignIsRepairedUnlessItIsADuplicate) {
  for (const char* code : {"duplicate", "same function", "size"}) {
    Script s;
    script_success(s);
    Brief brief = mutation();
    brief.admit = [&](const lang::Program&) -> Result<bool> { return fail(code, "not taken", "try less"); };
    const auto r = run(s, brief);
    EXPECT_EQ(r.cause, record::parse_word<record::Cause>(code));
    if (code == std::string("size")) {
      EXPECT_NE(s.last_said_to("coder", 1).find("not taken (try less)."), std::string::npos);
    }
    EXPECT_EQ(s.count("coder"), code == std::string("size") ? 2 : 1);
    EXPECT_EQ(s.count("observer"), 0);
  }
}

TEST(Pipeline, ABrokenPromiseIsRepairedOnceOrFails) {
  const std::string attends =
      "unit LeakyMemory(x: [t, D], mult: int in {1, 2, 4} = 1) -> [t, D]:\n    axis k = D * mult\n"
      "    return linear(sum(past(linear(x, k)) * exp(-lag()), over=s), D)\n";
  Script s;
  script_success(s);
  s.lines["coder"] = {attends, kUnit};
  auto r = run(s, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_NE(s.last_said_to("coder", 1).find("breaks its promises: state"), std::string::npos)
      << s.last_said_to("coder", 1);
  Script t;
  script_success(t);
  t.lines["coder"] = {attends};
  r = run(t, mutation());
  EXPECT_EQ(r.cause, record::Cause::kObservation);
  EXPECT_NE(r.detail.find("broken promises"), std::string::npos);
  EXPECT_EQ(t.count("coder"), 2);
  ASSERT_EQ(r.promises.size(), 3U);
  EXPECT_FALSE(r.promises[1].kept);
  EXPECT_EQ(r.promises[1].found, "grows");
}

TEST(Pipeline, TheObserverMayAskForOneRewrite) {
  Script s;
  script_success(s);
  s.lines["observer"] = {observation_reply(2), observation_reply(3)};
  auto r = run(s, mutation());
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign);
  EXPECT_EQ(r.observation, 3);
  EXPECT_NE(s.last_said_to("coder", 1).find("gate the output"), std::string::npos);
  Script t;
  script_success(t);
  t.lines["observer"] = {observation_reply(1)};
  r = run(t, mutation());
  EXPECT_EQ(r.cause, record::Cause::kObservation);
  EXPECT_EQ(t.count("observer"), 2);
}

TEST(Pipeline, RepairsRunOut) {
  Script s;
  script_success(s);
  s.lines["coder"] = {"unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return linear(y, D)\n"};
  const auto r = run(s, mutation());
  EXPECT_EQ(r.cause, record::Cause::kUnit);
  EXPECT_NE(r.detail.find("LeakyMemory"), std::string::npos);
  EXPECT_EQ(s.count("coder"), 8) << "one reply and seven repairs";
  ASSERT_EQ(r.units.size(), 1U);
  EXPECT_EQ(r.units[0].repairs, 7);
  EXPECT_EQ(r.units[0].valid, 0);
  EXPECT_EQ(s.asked.back().temperature, 1.0) << "it says the same again and again";
  const std::string said = s.last_said_to("coder", 1);
  EXPECT_NE(said.find("line 2:     return linear(y, D)"), std::string::npos) << said;
}

TEST(Pipeline, CodeThatIsRefusedIsRepaired) {
  const struct {
    const char *code, *complaint;
  } cases[] = {
      // This unit reads the future.
      {"unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return shift(x, -1)\n", "shift"},
      {"unit LeakyMemory(x: [t, D], first: [t, D]) -> [t, D]:\n    return x + first\n", "declared as"},
      {"unit Other(x: [t, D]) -> [t, D]:\n    return linear(x, D)\n", "no unit LeakyMemory"},
      {"```python\nclass LeakyMemory(nn.Module):\n    def forward(self, x):\n        return "
       "self.proj(x)\n```\n",
       "error[syntax]"},
      {"", "LeakyMemory"},
      {"I cannot help with that.", "error["},
      {"unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return open(\"/etc/passwd\")\n", "error["},
      {"unit LeakyMemory(x: [t, D]) -> [t, D]:\n    p = param([D], init=1)\n    return x + 0 * detach(p)\n",
       "error["},
  };
  for (const auto& c : cases) {
    Script s;
    script_success(s);
    s.lines["coder"] = {c.code, kUnit};
    const auto r = run(s, mutation());
    EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << c.code << word_of(r.cause) << ": " << r.detail;
    EXPECT_NE(s.last_said_to("coder", 1).find(c.complaint), std::string::npos)
        << c.code << s.last_said_to("coder", 1);
    EXPECT_EQ(r.units[0].repairs, 1);
  }
}

TEST(Pipeline, CodeIsFoundInAnySurroundingText) {
  const std::string cases[] = {
      "Here is the unit:\n\n```gab\n" + kUnit + "```\nIt keeps a leaky state.",
      "```\nunit Draft(x: [t, D]) -> [t, D]:\n    return x\n```\nBetter:\n~~~\n" +
          kUnit,  // Draft is a different unit, which costs a repair.
      "Sure!\n\n" + kUnit + "\nThis unit uses a gate.\n",
      "# a comment\r\n" + kUnit,
      kUnit + "\ndesign Extra:\n    stack = [LeakyMemory, RMSNorm]\n",
  };
  for (const std::string& text : cases) {
    Script s;
    script_success(s);
    s.lines["coder"] = {text, kUnit};
    const auto r = run(s, mutation());
    EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << text << r.detail;
    EXPECT_EQ(r.units[0].repairs, text.find("Draft") != std::string::npos ? 1 : 0) << text;
  }
}

TEST(Pipeline, RepliesOfAMegabyteAreBounded) {
  const std::string huge(1 << 20, 'x');
  for (const char* role : {"proposer", "reviewer", "planner", "coder", "observer"}) {
    Script s;
    script_success(s);
    const Said well = s.lines[role].front();
    s.lines[role] = {huge, "{\"a\": \"" + huge, std::string(1 << 20, '{'), well};
    const auto r = run(s, mutation());
    for (const chat::ChatRequest& q : s.asked)
      for (const chat::Message& m : q.messages) EXPECT_LT(m.text.size(), 40000U) << role;
    EXPECT_LT(to_json(r).size(), 40000U);
    // Three unreadable replies end the planner and the observer. The proposer and the reviewer have ten
    // attempts, and the coder has seven repairs.
    const bool patient = role != std::string("planner") && role != std::string("observer");
    EXPECT_EQ(r.outcome, patient ? record::TaskOutcome::kDesign : record::TaskOutcome::kFailed)
        << role << word_of(r.cause) << r.detail;
  }
}

TEST(Pipeline, DamagedRepliesEndInADesignOrACause) {
  // Replies are cut, spliced with each other, and corrupted at random bytes. Every task must still end, and
  // the requests that it sends must stay small.
  const std::map<std::string, std::string> good{{"proposer", kProposal},
                                                {"reviewer", review_reply(4)},
                                                {"planner", kPlan},
                                                {"coder", kUnit},
                                                {"observer", observation_reply(4)}};
  int designs = 0, failures = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Random random(seed);
    Script s;
    for (const auto& [role, text] : good) {
      const auto damaged = [&] {
        std::string out = text;
        if (random.chance(0.4))
          out.resize(static_cast<std::size_t>(random.below(static_cast<std::int64_t>(out.size()) + 1)));
        if (random.chance(0.2)) {
          const std::string& other = std::next(good.begin(), random.below(5))->second;
          out.insert(static_cast<std::size_t>(random.below(static_cast<std::int64_t>(out.size()) + 1)),
                     other);
        }
        for (int i = random.chance(0.3) ? 4 : 0; i > 0 && !out.empty(); --i)
          out[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(out.size())))] =
              static_cast<char>(random.below(256));
        return out;
      };
      for (int i = 0; i < 12; ++i) s.lines[role].emplace_back(damaged());
    }
    const auto r = run(s, mutation());
    (r.outcome == record::TaskOutcome::kDesign ? designs : failures) += 1;
    if (r.outcome == record::TaskOutcome::kDesign) {
      EXPECT_TRUE(checked(r).valid()) << "seed " << seed << "\n" << r.program;
    } else {
      EXPECT_FALSE(r.cause == record::Cause::kNone || r.detail.empty()) << "seed " << seed;
      EXPECT_NE(r.cause, record::Cause::kInternal) << "seed " << seed << ": " << r.detail;
    }
    EXPECT_LE(s.asked.size(), 120U);
    const auto back = record::parse_task_report(to_json(r));
    ASSERT_TRUE(back) << "seed " << seed << ": " << back.error().message;
  }
  EXPECT_GT(designs, 20);
  EXPECT_GT(failures, 5);
}

TEST(Pipeline, AProposalTiesTheTables) {
  const auto is_tied = [](const record::TaskReport& r) {
    return r.program.find("tied = true") != std::string::npos;
  };
  const std::string field = R"("why": "the state may be too small")";
  const auto with = [&](const std::string& tied) {
    std::string out = kProposal;
    return out.replace(out.find(field), field.size(), field + ", \"tied\": " + tied);
  };
  Brief tied_parent = mutation();
  std::string& parent = tied_parent.parents[0].program;
  parent.insert(parent.find("    stack ="), "    tied = true\n");
  const struct {
    const char* said;
    Brief brief;
    bool tied;
  } cases[] = {{"\"yes\"", mutation(), true},  {"\"no\"", mutation(), false}, {"\"\"", mutation(), false},
               {"null", mutation(), false},    {"true", mutation(), true},    {"\"\"", tied_parent, true},
               {"\"no\"", tied_parent, false}, {"\"yes\"", tied_parent, true}};
  for (const auto& c : cases) {
    Script s;
    script_success(s);
    s.lines["proposer"] = {with(c.said)};
    const auto r = run(s, c.brief);
    ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << c.said << r.detail;
    EXPECT_EQ(s.count("proposer"), 1) << c.said;
    EXPECT_TRUE(checked(r).valid()) << r.program;
    EXPECT_EQ(is_tied(r), c.tied) << c.said << "\n" << r.program;
  }
  Script s;
  script_success(s);
  s.lines["proposer"] = {with("\"perhaps\""), with("\"yes\"")};
  EXPECT_TRUE(is_tied(run(s, mutation())));
  EXPECT_NE(s.last_said_to("proposer", 1).find("tied is 'perhaps'"), std::string::npos);
}

TEST(Pipeline, MalformedJsonGoesBackWithTheReason) {
  for (const char* bad :
       {"", "no object", "{\"rating\": 4", "{\"rating\": \"high\", \"probability\": 0.5, \"objections\": []}",
        "[4]", "{\"rating\": 9, \"probability\": 0.5, \"objections\": []}", "{rating: 4}",
        "{\"rating\": 4, \"probability\": 7, \"objections\": []}"}) {
    Script s;
    script_success(s);
    s.lines["reviewer"] = {bad, "Here it is:\n```json\n" + review_reply(4) + "\n```\nI hope {this} helps."};
    const auto r = run(s, mutation());
    EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << bad << r.detail;
    EXPECT_EQ(s.count("reviewer"), 2);
    EXPECT_NE(s.last_said_to("reviewer", 1).find("That cannot be used"), std::string::npos);
    Script t;
    script_success(t);
    t.lines["reviewer"] = {bad};
    EXPECT_EQ(run(t, mutation()).cause, record::Cause::kReview) << bad;
    EXPECT_EQ(t.count("reviewer"), 20) << "ten attempts, and the same said twice each time";
  }
}

// Servers that mix up conversations, and models that continue an example, answer as another role.
TEST(Pipeline, AReplyOfAnotherRoleIsAskedForAgain) {
  const std::map<std::string, std::string> replies{{"librarian", R"({"queries": ["gated memory"]})"},
                                                   {"proposer", kProposal},
                                                   {"reviewer", review_reply(5)},
                                                   {"planner", kPlan},
                                                   {"observer", observation_reply(5)}};
  for (const char* role : {"proposer", "reviewer", "planner", "observer"})
    for (const auto& [other, text] : replies) {
      if (role == other) continue;
      Script s;
      script_success(s);
      s.lines[role].push_front(text);
      const auto r = run(s, mutation());
      EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << role << " as " << other << ": " << r.detail;
      EXPECT_EQ(s.count(role), 2) << role << " as " << other;
    }
}

TEST(Pipeline, AnObserverThatRatesLowHasToSayWhy) {
  Script s;
  script_success(s);
  s.lines["observer"] = {R"({"rating": 2, "differences": [], "unit": "", "change": ""})",
                         observation_reply(5)};
  EXPECT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign);
  EXPECT_EQ(s.count("coder"), 1) << "nothing is rewritten without a reason";
  EXPECT_NE(s.last_said_to("observer", 1).find("neither differences nor change"), std::string::npos);
}

// A reply that reached its limit is asked for again with twice the room, whatever was to be read in it.
TEST(Pipeline, ACutReplyIsAskedForAgainWithMoreRoom) {
  for (const char* role : {"proposer", "reviewer", "planner", "coder", "observer"}) {
    Script s;
    script_success(s);
    Said cut = std::string(role) == "coder" ? kUnit.substr(0, kUnit.size() / 2) : "{}";
    cut.cut = true;
    s.lines[role].push_front(cut);
    const auto r = run(s, mutation());
    EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << role << ": " << r.detail;
    ASSERT_EQ(s.count(role), 2) << role;
    EXPECT_NE(s.last_said_to(role, 1).find("reply was cut at its limit of tokens"), std::string::npos)
        << s.last_said_to(role, 1);
    std::vector<int> limits;
    for (const chat::ChatRequest& q : s.asked)
      if (q.role == role) limits.push_back(q.max_tokens);
    EXPECT_EQ(limits, (std::vector<int>{2048, 4096})) << role;
    Script t;
    script_success(t);
    t.lines[role] = {cut};
    const auto failed = run(t, mutation());
    if (std::string(role) != "coder") {
      EXPECT_NE(failed.detail.find("reply was cut at its limit of tokens (reply_tokens): "),
                std::string::npos)
          << failed.detail;
    }
  }
}

// Where no model's context has the room, the question is asked as it was.
TEST(Pipeline, MoreRoomThanTheContextHasIsNotAskedFor) {
  Script s;
  script_success(s);
  Said cut = "{}";
  cut.cut = true;
  s.lines["observer"].push_front(cut);
  s.most_tokens = 3000;
  EXPECT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign);
  EXPECT_EQ(s.count("observer"), 3);
  EXPECT_EQ(s.asked.back().max_tokens, 2048);
}

TEST(Pipeline, ImpossibleProposalsAreRefusedWithTheReason) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"title": "A", "idea": "b", "place": "stack.9", "units": []})", "no element '9'"},
      {R"({"title": "A", "idea": "b", "place": "../../etc/passwd", "units": []})", "unknown place"},
      {R"({"title": "A", "idea": "b", "place": "", "units": []})", "the path of a place is empty"},
      {R"({"title": "A", "idea": "b", "place": "stack", "units": ["if"]})", "not a valid unit name"},
      {R"({"title": "A", "idea": "b", "place": "stack", "units": ["A", "A"]})", "two units"},
      {R"({"title": "A", "idea": "b", "place": "stack", "units": ["A","B","C","E","F","G","H"]})",
       "at most 6"},
      {R"({"title": "A", "idea": "b", "place": "stack", "state": "huge"})",
       "unknown state 'huge' (use bounded, grows)"},
      {R"json({"title": "A", "idea": "b", "place": "stack", "complexity": "O(1)"})json",
       "unknown complexity 'O(1)' (use O(T), O(T log T), O(T^2))"},
      {R"({"title": "", "idea": "b"})", "is empty"},
      {R"({"title": 4, "idea": "b"})", "field title"},
      {"null", "no JSON object"}};
  for (const auto& [bad, reason] : cases) {
    Script s;
    script_success(s);
    s.lines["proposer"] = {bad, kProposal};
    EXPECT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign) << bad;
    EXPECT_NE(s.last_said_to("proposer", 1).find(reason), std::string::npos)
        << bad << s.last_said_to("proposer", 1);
    Script t;
    script_success(t);
    t.lines["proposer"] = {bad};
    EXPECT_EQ(run(t, mutation()).cause, record::Cause::kProposal);
  }
}

TEST(Pipeline, ImpossiblePlansAreRefusedWithTheReason) {
  const auto plan = [](const std::string& units, const std::string& instance = "LeakyMemory(mult=2)") {
    return R"({"units": [)" + units + R"(], "instance": ")" + instance + "\"}";
  };
  const auto unit = [](const std::string& name, const std::string& uses,
                       const std::string& inputs = "\"x\"") {
    return R"({"name": ")" + name + R"(", "inputs": [)" + inputs + R"(], "results": [], "uses": [)" + uses +
           R"(], "does": "d"})";
  };
  const std::pair<std::string, const char*> cases[] = {
      {plan(unit("A", "\"B\"") + "," + unit("B", "\"A\"")), "cycle: A, B"},
      {plan(unit("scan", "")), "not a valid unit name"},
      {plan(unit("A", "") + "," + unit("A", "")), "two units"},
      {plan(unit("A", ""), ""), "instance is empty"},
  };
  for (const auto& [bad, reason] : cases) {
    Script s;
    script_success(s);
    s.lines["planner"] = {bad, kPlan};
    EXPECT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign) << bad;
    EXPECT_NE(s.last_said_to("planner", 1).find(reason), std::string::npos)
        << bad << s.last_said_to("planner", 1);
    Script t;
    script_success(t);
    t.lines["planner"] = {bad};
    EXPECT_EQ(run(t, mutation()).cause, record::Cause::kPlan);
    EXPECT_EQ(t.count("planner"), 2) << "the same comes again";
  }
}

// Errors in names are first returned to the planner; in its last reply they are repaired.
TEST(Pipeline, NamesInTheLastPlanAreRepaired) {
  struct Case {
    const char *name, *rest, *reason, *repaired;
  };
  const Case cases[] = {
      {"GLA", R"("inputs": ["x"], "results": [], "uses": [])", "is taken by the library", "GLA2"},
      {"linear", R"("inputs": ["x"], "results": [], "uses": [])", "is taken by the library", "linear2"},
      {"LeakyMemory", R"("inputs": ["x"], "results": [], "uses": ["Unheard"])",
       "neither planned nor in the library", "LeakyMemory"},
      {"LeakyMemory", R"("inputs": ["x"], "results": [], "uses": ["LeakyMemory"])", "cycle: LeakyMemory",
       "LeakyMemory"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + ": " + c.reason);
    const std::string name = c.name, repaired = c.repaired;
    Script s;
    script_success(s);
    s.lines["planner"] = {R"({"units": [{"name": ")" + name + "\", " + c.rest +
                          R"(, "does": "d"}], "instance": ")" + name + "\"}"};
    s.lines["coder"] = {"unit " + repaired +
                        "(x: [t, D]) -> [t, D]:\n    return linear(sum(past(x), over=s), D)\n"};
    const auto r = run(s, mutation());
    EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
    EXPECT_NE(r.program.find("mixer=" + repaired), std::string::npos) << r.program;
    EXPECT_EQ(s.count("planner"), 2) << "the same comes again";
    EXPECT_NE(s.last_said_to("planner", 1).find(c.reason), std::string::npos);
  }
}

// A unit that replaces another gets its ports, and hyperparameters are not inputs.
TEST(Pipeline, PlannedPortsAreThoseOfTheReplacedUnit) {
  for (const char* ports :
       {R"("inputs": ["x", "heads", "window"], "results": ["y"])", R"("inputs": [], "results": [])",
        R"("inputs": ["x", "x", "t"], "results": ["x"])"}) {
    SCOPED_TRACE(ports);
    Script s;
    script_success(s);
    s.lines["planner"] = {std::string(R"({"units": [{"name": "LeakyMemory", )") + ports +
                          R"(, "uses": [], "does": "d"}], "instance": "LeakyMemory"})"};
    EXPECT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign);
    EXPECT_EQ(s.count("planner"), 1);
    EXPECT_NE(s.last_said_to("coder", 0).find("unit LeakyMemory(x: [t, D]) -> [t, D]\n"), std::string::npos)
        << s.last_said_to("coder", 0);
  }
  for (const auto& [instance, reason] :
       {std::pair("NewUnit", "uses no unit of the plan"), {"LeakyMemory((", "instance: "}}) {
    SCOPED_TRACE(instance);
    Script s;
    script_success(s);
    s.lines["planner"] = {
        std::string(
            R"({"units": [{"name": "Inner", "inputs": ["x", "norm"], "results": [], "uses": [], "does": "d"},
        {"name": "LeakyMemory", "inputs": ["x"], "results": [], "uses": ["Inner"], "does": "d"}], "instance": ")") +
        instance + "\"}"};
    s.lines["coder"] = {"unit Inner(x: [t, D]) -> [t, D]:\n    return x\n", kUnit};
    EXPECT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign);
    EXPECT_EQ(s.count("planner"), 2);
    EXPECT_NE(s.last_said_to("planner", 1).find(reason), std::string::npos) << s.last_said_to("planner", 1);
  }
}

TEST(Pipeline, HyperparametersThatACoderCopiesAreDeclared) {
  Script s;
  script_success(s);
  s.lines["coder"] = {
      "unit LeakyMemory(x: [t, D], mult: int in {1, 2, 4} = 1) -> [t, D]:\n"
      "    axis h = heads, k = mult * D / heads\n"
      "    y = sum(past(linear(x, [h, k])), over=s)\n"
      "    return linear(norm(y, over=k), D)\n"};
  const auto r = run(s, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_EQ(s.count("coder"), 1);
  EXPECT_NE(r.program.find("heads: int in"), std::string::npos) << r.program;
  EXPECT_NE(r.program.find("norm: Unit = "), std::string::npos) << r.program;
}

TEST(Pipeline, UnitsThatNothingUsesAreNotWritten) {
  Script s;
  script_success(s);
  s.lines["planner"] = {
      R"json({"units": [{"name": "Idle", "inputs": ["x"], "results": [], "uses": [], "does": "d"},
    {"name": "LeakyMemory", "inputs": ["x", "heads"], "results": ["y"], "uses": [], "does": "d"}],
    "instance": "LeakyMemory(x, mult=2)"})json"};
  const auto r = run(s, mutation());
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_NE(s.last_said_to("planner", 1).find("Idle is used by neither a unit"), std::string::npos);
  EXPECT_EQ(s.count("coder"), 1);
  EXPECT_NE(r.program.find("LeakyMemory(mult=2)"), std::string::npos) << r.program;
}

TEST(Pipeline, LibraryUnitsOfAPlanAreUsedAsTheyAre) {
  Script s;
  script_success(s);
  s.lines["planner"] = {
      R"json({"units": [{"name": "RMSNorm", "inputs": ["x"], "results": [], "uses": [], "does": "d"},
    {"name": "LeakyMemory", "inputs": ["x"], "results": [], "uses": ["RMSNorm"], "does": "d"}],
    "instance": "LeakyMemory(mult=2)"})json"};
  EXPECT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign);
  EXPECT_EQ(s.count("planner"), 1);
  EXPECT_EQ(s.count("coder"), 1);
}

TEST(Pipeline, UnreadPartsOfAUnitAreRemoved) {
  Script s;
  script_success(s);
  std::string wordy = kUnit;
  wordy.replace(wordy.find("    scan"), 0, "    axis unread = D\n    b = linear(x, unread)\n");
  s.lines["coder"] = {wordy};
  const auto r = run(s, mutation());
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_EQ(s.count("coder"), 1);
  EXPECT_EQ(r.program.find("unread"), std::string::npos) << r.program;
}

TEST(Pipeline, AnInstanceThatDoesNotFitIsRewritten) {
  Script s;
  script_success(s);
  s.lines["planner"] = {
      R"json({"units": [{"name": "LeakyMemory", "inputs": ["x"], "results": [], "uses": [], "does": "d"}],
    "instance": "LeakyMemory(heads=2)"})json"};
  s.lines["coder"] = {kUnit, "`LeakyMemory(mult=3)`", "The line is:\n```\nLeakyMemory(mult=4)\n```"};
  auto r = run(s, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_NE(r.program.find("LeakyMemory(mult=4)"), std::string::npos);
  EXPECT_NE(s.last_said_to("coder", 1).find("mixer=LeakyMemory(heads=2)"), std::string::npos)
      << "the complaint quotes the line of the program: " << s.last_said_to("coder", 1);
  // After the last repair, the unit is instantiated with its defaults.
  s.lines["coder"] = {kUnit, "no"};
  r = run(s, mutation());
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_NE(r.program.find("mixer=LeakyMemory"), std::string::npos) << r.program;
}

TEST(Pipeline, InvalidBriefsAreRefused) {
  Script s;
  script_success(s);
  Brief brief = mutation();
  brief.mode = record::Mode::kCrossover;
  EXPECT_EQ(run(s, brief).cause, record::Cause::kBrief);
  brief = mutation();
  brief.parents[0].program = "design A:\n    stack = Nothing\n";
  EXPECT_EQ(run(s, brief).cause, record::Cause::kBrief);
  EXPECT_TRUE(s.asked.empty());
}

TEST(Pipeline, AnExceptionFailsTheTask) {
  Script s;
  script_success(s);
  Brief brief = mutation();
  brief.admit = [](const lang::Program&) -> Result<bool> { throw std::runtime_error("out of memory"); };
  const auto r = run(s, brief);
  EXPECT_EQ(r.cause, record::Cause::kInternal);
  EXPECT_EQ(r.detail, "out of memory");
}

TEST(Pipeline, CandidatesAreSearchedBestFirst) {
  AgentSettings settings;
  settings.candidates = 3;
  const std::string one_error = "unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return linear(y, D)\n";
  const std::string syntax = "unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return linear(x D)\n";
  Script s;
  script_success(s);
  s.lines["coder"] = {syntax, one_error, "nothing", kUnit};
  auto r = run(s, mutation(), settings);
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign);
  EXPECT_EQ(r.units[0].candidates, 4);
  EXPECT_EQ(r.units[0].repairs, 1);
  EXPECT_NE(s.last_said_to("coder", 3).find("linear(y, D)"), std::string::npos)
      << "the nearest to valid is repaired";
  // Among several valid units, one that keeps its promises is chosen.
  const std::string grows =
      "unit LeakyMemory(x: [t, D], mult: int in {1, 2, 4} = 1) -> [t, D]:\n    axis k = D * mult\n"
      "    return linear(mean(past(linear(x, k)) * exp(-lag()), over=s), D)\n";
  Script t;
  script_success(t);
  t.lines["coder"] = {grows, kUnit};
  r = run(t, mutation(), settings);
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_NE(r.program.find("scan S"), std::string::npos);
  EXPECT_EQ(r.units[0].repairs, 0);
}

TEST(Pipeline, AWorseRepairIsNotContinued) {
  const std::string near = "unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return linear(y, D)\n";
  Script s;
  script_success(s);
  s.lines["coder"] = {near, "I am sorry.", "Still sorry.", kUnit};
  const auto r = run(s, mutation());
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_NE(s.last_said_to("coder", 2).find("linear(y, D)"), std::string::npos)
      << "the nearest goes back once more";
  EXPECT_EQ(s.last_said_to("coder", 3).find("linear(y, D)"), std::string::npos) << "then others";
}

TEST(Pipeline, ABriefMayAskForOneReply) {
  Script s;
  s.lines["coder"] = {kUnit + "\ndesign Mine:\n    stack = [4 * Block(mixer=LeakyMemory), RMSNorm]\n"};
  Brief brief = mutation();
  brief.writing = record::Writing::kDirect;
  EXPECT_EQ(run(s, brief).outcome, record::TaskOutcome::kDesign);
}

// Two units of a plan, the second of which uses the first.
const std::string kTwoUnitsPlan =
    R"json({"units": [{"name": "Inner", "inputs": ["x"], "results": [], "uses": [], "does": "a gated map"},
 {"name": "LeakyMemory", "inputs": ["x"], "results": [], "uses": ["Inner"], "does": "a leaky state of Inner(x)"}],
 "instance": "LeakyMemory"})json";
const std::string kInner =
    "unit Inner(x: [t, D]) -> [t, D]:\n    return linear(half(x) * sigmoid(linear(x, D)), D)\n";
const std::string kHalf = "fn half(x):\n    return 0.5 * x\n";
std::string outer() {
  std::string out = kUnit;
  out.replace(out.find("v = linear(x, k)"), 16, "v = linear(Inner(x), k)");
  return out;
}

TEST(Pipeline, AReplyMayHaveTheNextUnitsToo) {
  Script s;
  script_success(s);
  s.lines["planner"] = {kTwoUnitsPlan};
  s.lines["coder"] = {"```\n" + kHalf + "\n" + kInner + "\n# The outer one.\n" + outer() + "```\n"};
  const auto r = run(s, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(s.count("coder"), 1);
  EXPECT_NE(s.last_said_to("coder", 0).find("unit Inner(x: [t, D]) -> [t, D]"), std::string::npos);
  EXPECT_NE(s.last_said_to("coder", 0).find("unit LeakyMemory(x: [t, D]) -> [t, D]"), std::string::npos);
  ASSERT_EQ(r.units.size(), 2U);
  EXPECT_EQ(r.units[0].valid + r.units[1].valid, 2);
  EXPECT_NE(r.program.find("Inner"), std::string::npos);
}

TEST(Pipeline, AWrongUnitOfSeveralIsRepairedAlone) {
  std::string wrong = outer();
  wrong.replace(wrong.find("a * S"), 5, "b * S");
  Script s;
  script_success(s);
  s.lines["planner"] = {kTwoUnitsPlan};
  s.lines["coder"] = {kHalf + kInner + wrong, outer()};
  auto r = run(s, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(s.count("coder"), 2);
  EXPECT_NE(s.last_said_to("coder", 1).find("unknown name b"), std::string::npos);
  EXPECT_EQ(r.units[0].repairs, 0);
  EXPECT_EQ(r.units[1].repairs, 1);

  // The first unit is wrong; the text of the second is kept while the first is repaired.
  Script first;
  script_success(first);
  first.lines["planner"] = {kTwoUnitsPlan};
  first.lines["coder"] = {kInner + outer(), kHalf + kInner};
  r = run(first, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(first.count("coder"), 2);
  EXPECT_EQ(r.units[0].repairs, 1);

  // A reply that is cut within the second unit.
  Script cut;
  script_success(cut);
  cut.lines["planner"] = {kTwoUnitsPlan};
  cut.lines["coder"] = {kHalf + kInner + outer().substr(0, 80), outer()};
  r = run(cut, mutation());
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << word_of(r.cause) << ": " << r.detail;
  EXPECT_EQ(cut.count("coder"), 2);
}

const std::string kProgram = kUnit + "\ndesign Mine:\n    stack = [4 * Block(mixer=LeakyMemory), RMSNorm]\n";

TEST(Pipeline, AWholeProgramIsRepairedByTheChecker) {
  AgentSettings settings;
  settings.writing = record::Writing::kProgram;
  settings.reviewers = 0;
  Script s;
  std::string wrong = kProgram;
  wrong.replace(wrong.find("a * S"), 5, "b * S");
  s.lines["coder"] = {wrong, "# A leaky state, read through a gate.\n# Gain 0.02.\n" + kProgram};
  const auto r = run(s, mutation(), settings);
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_EQ(r.writing, record::Writing::kProgram);
  EXPECT_EQ(r.attempts, 2);
  EXPECT_EQ(s.asked.size(), 2U);
  EXPECT_NE(s.last_said_to("coder", 1).find("unknown name b"), std::string::npos)
      << s.last_said_to("coder", 1);
  EXPECT_EQ(r.title, "Mine");
  EXPECT_NE(r.proposal.find("A leaky state, read through a gate."), std::string::npos) << r.proposal;
}

TEST(Pipeline, AWholeProgramMayBeReviewed) {
  AgentSettings settings;
  settings.writing = record::Writing::kProgram;
  Script s;
  s.lines["coder"] = {kProgram};
  s.lines["reviewer"] = {review_reply(2), review_reply(4)};
  const auto r = run(s, mutation(), settings);
  ASSERT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_NE(s.last_said_to("coder", 1).find("the gate may saturate"), std::string::npos);
  ASSERT_EQ(r.reviews.size(), 1U);
  EXPECT_EQ(r.reviews[0].rating, 4);
}

TEST(Pipeline, AProgramThatTheCampaignHasIsNotRepaired) {
  AgentSettings settings;
  settings.writing = record::Writing::kProgram;
  settings.reviewers = 0;
  for (const auto& [code, asked] : {std::pair{"duplicate", 1}, {"same function", 1}, {"size", 8}}) {
    Brief brief = mutation();
    brief.admit = [&](const lang::Program&) -> Result<bool> { return fail(code, "not taken"); };
    Script s;
    s.lines["coder"] = {kProgram};
    EXPECT_EQ(run(s, brief, settings).cause, record::parse_word<record::Cause>(code));
    EXPECT_EQ(s.count("coder"), asked) << code;
  }
}

TEST(Pipeline, TheBeamKeepsSeveralDrafts) {
  AgentSettings settings;
  settings.candidates = 2;
  settings.beam = 2;
  Script s;
  script_success(s);
  s.lines["planner"] = {
      R"json({"units": [{"name": "Gate", "inputs": ["x"], "results": [], "uses": [], "does": "a gate"},
      {"name": "LeakyMemory", "inputs": ["x"], "results": [], "uses": ["Gate"], "does": "a leaky state"}], "instance": "LeakyMemory"})json"};
  const std::string gate = "unit Gate(x: [t, D]) -> [t, D]:\n    return sigmoid(linear(x, D))\n";
  const std::string rest =
      "unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return linear(cumsum(x) / (position() + 1), D)\n";
  s.lines["coder"] = {gate, gate, rest};
  const auto r = run(s, mutation(), settings);
  ASSERT_EQ(r.units.size(), 2U) << r.detail;
  EXPECT_EQ(r.units[1].candidates, 4) << "two for each of two drafts";
}

TEST(Pipeline, GrammarsAndSchemasAreSent) {
  Script s;
  script_success(s);
  run(s, mutation());
  for (const chat::ChatRequest& q : s.asked) {
    EXPECT_EQ(q.task, 7);
    EXPECT_EQ(q.role == "coder", !q.grammar.empty()) << q.role;
    EXPECT_EQ(q.role != "coder", !q.schema.empty()) << q.role;
    EXPECT_EQ(q.messages[0].from, chat::MessageAuthor::kSystem);
    if (q.role == "proposer") {
      EXPECT_NE(q.schema.find(R"(stack\\.0\\.\\*\\.mixer|)"), std::string::npos) << q.schema;
      EXPECT_NE(q.schema.find(R"("minItems":1,"maxItems":6)"), std::string::npos) << q.schema;
    }
  }
}

TEST(Pipeline, TheWorthOfRepliesIsReported) {
  Script s;
  script_success(s);
  s.lines["reviewer"] = {"no", review_reply(2), review_reply(4)};
  s.lines["coder"] = {"no", kUnit};
  EXPECT_EQ(run(s, mutation()).outcome, record::TaskOutcome::kDesign);
  EXPECT_EQ(s.worths["proposer"], (std::vector<double>{0, 1}));
  EXPECT_EQ(s.worths["reviewer"], (std::vector<double>{0, 1, 1}));
  EXPECT_EQ(s.worths["coder"], (std::vector<double>{0, 1}));
}

TEST(Pipeline, SettingsLeaveOutParts) {
  AgentSettings direct;
  direct.writing = record::Writing::kDirect;
  Script s;
  s.lines["coder"] = {"```gab\n" + kUnit +
                      "\ndesign Mine:\n    stack = [4 * Block(mixer=LeakyMemory), RMSNorm]\n```"};
  auto r = run(s, mutation(), direct);
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_EQ(s.asked.size(), 1U);
  s.lines["coder"] = {kUnit};
  EXPECT_EQ(run(s, mutation(), direct).cause, record::Cause::kAssembly) << "there is no design in it";

  AgentSettings bare;
  bare.planner = bare.observer = false;
  Script t;
  script_success(t);
  t.lines["proposer"] = {without_gate()};
  r = run(t, mutation(), bare);
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  EXPECT_EQ(t.count("planner") + t.count("observer"), 0);
  EXPECT_EQ(r.without, (std::vector<std::string>{"planner", "observer"}));
  EXPECT_EQ(record::parse_task_report(record::to_json(r))->without, r.without);

  AgentSettings unchecked;
  unchecked.checker = false;
  Script u;
  script_success(u);
  u.lines["coder"] = {"unit LeakyMemory(x: [t, D]) -> [t, D]:\n    return linear(y, D)\n"};
  r = run(u, mutation(), unchecked);
  EXPECT_EQ(r.cause, record::Cause::kUnit);
  EXPECT_EQ(u.count("coder"), 1) << "nothing goes back";
}

TEST(Pipeline, ReviewOfAProgram) {
  Script s;
  s.lines["reviewer"] = {review_reply(5, 0.7)};
  auto r = review_program(zoo_text("gla.gab"), {}, {s, zoo::library(), {}});
  EXPECT_EQ(r.outcome, record::TaskOutcome::kDesign) << r.detail;
  ASSERT_EQ(r.reviews.size(), 1U);
  EXPECT_DOUBLE_EQ(r.reviews[0].probability, 0.7);
  EXPECT_NE(s.asked[0].messages[1].text.find("scan S"), std::string::npos);
  s.lines["reviewer"] = {review_reply(2)};
  EXPECT_EQ(review_program(zoo_text("gla.gab"), {}, {s, zoo::library(), {}}).cause, record::Cause::kReview);
  EXPECT_EQ(review_program("unit A(", {}, {s, zoo::library(), {}}).cause, record::Cause::kProgram);
}

}  // namespace
}  // namespace gabbro::agents
