// Tests of the job "capabilities" and of its command.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <stdexcept>
#include <string>

#include "capability/task.h"
#include "cli/run.h"
#include "paths.h"
#include "record/capability.h"
#include "trial/capabilities.h"
#include "trial/job.h"
#include "trial/lying_model.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

using record::CapabilityResult;
using record::CapabilitySpec;

const char* const kAttention = "design A:\n    width = 256\n    stack = [8 * Block, RMSNorm]\n";
// Two blocks, which tiny_design keeps, see five tokens.
const char* const kLocal =
    "unit ShortConv(x: [t, D]) -> [t, D]:\n"
    "    return linear(linear(x, D) * conv(linear(x, D), 3), D)\n"
    "design L:\n    stack = [8 * Block(mixer=ShortConv), RMSNorm]\n";

CapabilitySpec spec(const char* program, std::vector<std::string> tasks, std::int64_t steps) {
  CapabilitySpec s;
  s.file = "x.gab";
  s.program = program;
  s.tasks = std::move(tasks);
  s.steps = steps;
  return s;
}

// Returns the results without times.
std::string numbers_of(CapabilityResult r) {
  r.seconds = 0;
  for (record::CapabilityTask& t : r.tasks) t.seconds = 0;
  return to_json(r);
}

TEST(TinyDesign, KeepsOneBlockOfEachKindAndAtLeastTwo) {
  const std::pair<const char*, int> cases[] = {
      {"[8 * Block, RMSNorm]", 2},
      {"[RMSNorm, 24 * Block, RMSNorm]", 2},
      {"[2 * [3 * Block(mixer=Attention(heads=2)), Block], RMSNorm]", 2},
      {"[3 * Block(mixer=Attention(heads=2)), 5 * Block, RMSNorm]", 2},
      {"[Block, 4 * Block, RMSNorm]", 3},
      {"[Block, RMSNorm]", 1}};
  for (const auto& [stack, blocks] : cases) {
    const auto tiny =
        trial::tiny_design(std::string("design M:\n    width = 512\n    stack = ") + stack + "\n", 50);
    ASSERT_TRUE(tiny.has_value()) << tiny.error().message;
    int found = 0;
    for (const lang::InstanceInfo& i : tiny->elaboration.instances) found += i.unit == "Block" ? 1 : 0;
    EXPECT_EQ(found, blocks) << stack;
    EXPECT_EQ(tiny->elaboration.graph.env.width, 64);
    EXPECT_EQ(tiny->elaboration.graph.env.vocab, 50);
  }
}

TEST(TinyDesign, HasTablesOfItsOwnForInputAndOutput) {
  const std::string stack = "    stack = [2 * Block, RMSNorm]\n";
  const auto untied = trial::tiny_design("design M:\n    width = 64\n" + stack, 50),
             tied = trial::tiny_design("design M:\n    width = 64\n    tied = true\n" + stack, 50);
  ASSERT_TRUE(untied && tied);
  EXPECT_EQ(ir::count_params(tied->elaboration.graph), ir::count_params(untied->elaboration.graph));
}

TEST(TinyDesign, TakesTheNextWidthWhereSizesDoNotDivide) {
  const auto tiny = trial::tiny_design(
      "unit U(x: [t, D]) -> [t, D]:\n    axis a = 128, b = D / 128\n    return linear(split(x, D, [a, b]), "
      "D)\n"
      "design M:\n    width = 256\n    stack = [4 * Block(mixer=U), RMSNorm]\n",
      20);
  ASSERT_TRUE(tiny.has_value()) << tiny.error().message;
  EXPECT_EQ(tiny->elaboration.graph.env.width, 128);
}

// A program that branches on its width has no profile at another. No design of the zoo does so.
TEST(TinyDesign, IsTheFunctionThatItIsAtItsWidth) {
  const auto tiny_at = [](int width, int bound) {
    return trial::tiny_design(fmt::format("unit U(x: [t, D]) -> [t, D]:\n    y = linear(x, D)\n"
                                          "    return shift(y, 1) if D <= {} else shift(y, 2)\n"
                                          "design M:\n    width = {}\n    stack = [2 * Block(mixer=U)]\n",
                                          bound, width),
                              50);
  };
  EXPECT_TRUE(tiny_at(64, 16));
  for (const int bound : {16, 64, 200}) {
    const auto other = tiny_at(96, bound);
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().message.find("what it learns at width 64 says nothing about width 96"),
              std::string::npos)
        << other.error().message;
  }
  int designs = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    if (!lang::last_design(*zoo::program(entry.file))) continue;
    const auto tiny = trial::tiny_design(std::string(entry.text), 50);
    EXPECT_TRUE(tiny) << entry.file << ": " << (tiny ? "" : tiny.error().message);
    ++designs;
  }
  EXPECT_GT(designs, 20);
}

TEST(Capabilities, AttentionLearnsRecallAndShortConvolutionsDoNot) {
  const CapabilityResult attention = trial::run(spec(kAttention, {"recall"}, 400)),
                         local = trial::run(spec(kLocal, {"recall"}, 100));
  ASSERT_EQ(attention.status, record::Status::kDone) << attention.cause;
  ASSERT_EQ(local.status, record::Status::kDone) << local.cause;
  EXPECT_EQ(attention.width, 64);
  EXPECT_GT(attention.tasks.at(0).scores.at(0).accuracy, 0.98);
  EXPECT_EQ(attention.tasks[0].runs, 1) << "the first rate solves it";
  EXPECT_LT(attention.tasks[0].steps, 400) << "what is solved ends earlier";
  const record::CapabilityScore& recall = local.tasks.at(0).scores.at(0);
  EXPECT_EQ(recall.task, "recall");
  EXPECT_EQ(recall.length, 32);
  EXPECT_NEAR(recall.accuracy, recall.chance, 4 * recall.error);
  EXPECT_GT(recall.error, 0);
  EXPECT_GT(recall.answers, 256);
  EXPECT_EQ(local.tasks[0].runs, 2) << "no rate solves it";
}

TEST(Capabilities, TheSameSpecGivesTheSameNumbers) {
  const CapabilityResult a = trial::run(spec(kAttention, {"s5", "parity"}, 8)),
                         b = trial::run(spec(kAttention, {"parity", "s5"}, 8));
  ASSERT_EQ(a.status, record::Status::kDone) << a.cause;
  EXPECT_EQ(numbers_of(trial::run(spec(kAttention, {"s5", "parity"}, 8))), numbers_of(a));
  ASSERT_EQ(b.tasks.size(), 2U);
  EXPECT_EQ(b.tasks[1].loss, a.tasks[0].loss) << "other tasks have no part in it";
  EXPECT_EQ(b.tasks[0].scores.at(1).accuracy, a.tasks[1].scores.at(1).accuracy);
  CapabilitySpec other = spec(kAttention, {"s5", "parity"}, 8);
  other.seed = 2;
  EXPECT_NE(trial::run(other).tasks.at(0).loss, a.tasks[0].loss);
  EXPECT_EQ(a.tasks[0].scores.size(), capability::find_task("s5")->lengths.size());
  EXPECT_EQ(a.tasks[0].runs, 2);
  EXPECT_EQ(a.tasks[0].steps, 16);
}

TEST(Capabilities, StopsAndSaysHowFarItIs) {
  double last = 0;
  const CapabilityResult all =
      trial::run(spec(kAttention, {"parity", "s3"}, 5), [&](const record::Progress& p) {
        EXPECT_GE(p.share, last);
        EXPECT_LE(p.share, 1);
        last = p.share;
        return true;
      });
  EXPECT_EQ(all.tasks.size(), 2U);
  EXPECT_DOUBLE_EQ(last, 1);
  int calls = 0;
  const CapabilityResult r = trial::run(spec(kAttention, {"parity", "s3"}, 5),
                                        [&](const record::Progress&) { return ++calls < 13; });
  EXPECT_EQ(r.status, record::Status::kStopped);
  EXPECT_EQ(r.tasks.size(), 1U) << "what was done stays";
}

TEST(Capabilities, WhatGoesWrongIsAnOutcomeWithACause) {
  CapabilityResult r = trial::run(spec("design M:\n    stack = [Blok]\n", {}, 5));
  EXPECT_EQ(r.status, record::Status::kFailed);
  EXPECT_NE(r.cause.find("x.gab:2:"), std::string::npos) << r.cause;

  r = trial::run(spec(kAttention, {"recal"}, 5));
  EXPECT_EQ(r.status, record::Status::kFailed);
  EXPECT_NE(r.cause.find("recall"), std::string::npos) << r.cause;

  r =
      trial::run(spec("unit U(x: [t, D]) -> [t, D]:\n    return exp(1000 * exp(x * x))\n\n"
                      "design M:\n    stack = [Block(mlp=U), RMSNorm]\n",
                      {"parity"}, 5));
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_NE(r.cause.find("finite"), std::string::npos) << r.cause;
}

// A model that claims to need more memory than any machine has.
class HugeModel : public testing::LyingModel {
 public:
  using LyingModel::LyingModel;
  [[nodiscard]] std::int64_t step_bytes(std::int64_t, std::int64_t) const override {
    return std::int64_t{1} << 60;
  }
};

// The vocabulary of the task "parity", which tells its models from those of other tasks.
constexpr int kParityVocab = 2;

// Each case is the behaviour of a model in the first of two tasks, and the outcome of that task. The next
// task is done in any case.
TEST(Capabilities, ATaskThatFailsLeavesTheOthersAlone) {
  const trial::MakeModel torch = trial::torch_backend();
  struct Case {
    record::CapabilityOutcome outcome;
    const char* cause;
    std::function<void(exec::StepReport&)> after_step;  // null: the model is too large
  };
  double rise = 0;
  const Case cases[] = {{record::CapabilityOutcome::kNotFinite, "loss nan",
                         [](exec::StepReport& r) { r.loss = NAN, r.updated = false; }},
                        {record::CapabilityOutcome::kDiverged, "rose by more than 3",
                         [&](exec::StepReport& r) { r.loss += rise += 1; }},
                        {record::CapabilityOutcome::kFailed, "no memory for this",
                         [](exec::StepReport&) { throw std::runtime_error("no memory for this\nat"); }},
                        {record::CapabilityOutcome::kMemory, "MiB are left", {}}};
  for (const Case& c : cases) {
    const CapabilityResult r =
        trial::run(spec(kAttention, {"parity", "s3"}, 40), {},
                   [&](const ir::Graph& graph, std::uint64_t seed) -> std::unique_ptr<exec::Model> {
                     if (graph.env.vocab != kParityVocab) return torch(graph, seed);
                     if (!c.after_step)
                       return std::make_unique<HugeModel>(torch(graph, seed), testing::Lies{});
                     return std::make_unique<testing::LyingModel>(torch(graph, seed),
                                                                  testing::Lies{.after_step = c.after_step});
                   });
    ASSERT_EQ(r.status, record::Status::kDone) << r.cause;
    ASSERT_EQ(r.tasks.size(), 2U);
    EXPECT_EQ(r.tasks[0].outcome, c.outcome);
    EXPECT_NE(r.tasks[0].cause.find(c.cause), std::string::npos) << r.tasks[0].cause;
    EXPECT_EQ(r.tasks[0].cause.find('\n'), std::string::npos);
    EXPECT_TRUE(r.tasks[0].scores.empty());
    EXPECT_EQ(r.tasks[1].outcome, record::CapabilityOutcome::kDone);
    EXPECT_EQ(r.tasks[1].scores.size(), 2U);
  }
}

TEST(Capabilities, AMemoryLimitIsKept) {
  CapabilitySpec s = spec(kAttention, {"parity"}, 5);
  s.memory = 1 << 20;
  const CapabilityResult r = trial::run(s);
  ASSERT_EQ(r.tasks.size(), 1U);
  EXPECT_EQ(r.tasks[0].outcome, record::CapabilityOutcome::kMemory);
}

// One of two learning rates is enough, and the better one is kept.
TEST(Capabilities, ARateThatFailsIsNotChosen) {
  const trial::MakeModel torch = trial::torch_backend();
  int models = 0;
  const CapabilityResult r = trial::run(
      spec(kAttention, {"parity"}, 5), {},
      [&](const ir::Graph& graph, std::uint64_t seed) -> std::unique_ptr<exec::Model> {
        if (graph.env.vocab != kParityVocab || models++ > 0) return torch(graph, seed);
        return std::make_unique<testing::LyingModel>(
            torch(graph, seed),
            testing::Lies{.after_step = [](exec::StepReport& s) { s.loss = NAN, s.updated = false; }});
      });
  ASSERT_EQ(r.tasks.size(), 1U);
  EXPECT_EQ(r.tasks[0].outcome, record::CapabilityOutcome::kDone);
  EXPECT_EQ(r.tasks[0].runs, 2);
  EXPECT_EQ(r.tasks[0].steps, 1 + 5);
  EXPECT_EQ(r.tasks[0].rate, 0.0025);
}

TEST(Capabilities, RecordsSurviveTheirJson) {
  const CapabilityResult r = trial::run(spec(kAttention, {"parity"}, 3));
  for (const std::string& text : {to_json(r), to_line(r)}) {
    const auto back = record::parse_capability_result(text);
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_EQ(to_json(*back), to_json(r));
  }
  CapabilitySpec s = spec(kAttention, {"parity"}, 0);
  const auto out = record::parse_capability_result(trial::run_job(to_json(s)));
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->status, record::Status::kFailed);
  EXPECT_NE(out->cause.find("steps is 0"), std::string::npos) << out->cause;
}

Output command(const std::string& arguments) { return gabbro("capabilities " + arguments); }

TEST(Capabilities, Command) {
  const std::string llama = source_path("/zoo/llama.gab "), wrong = ::testing::TempDir() + "/wrong.gab";
  std::ofstream(wrong) << "design M:\n    stack = [Blok]\n";
  const auto [code, text] = command(wrong + " " + llama + "--tasks s3,parity --steps 3");
  EXPECT_EQ(code, 1) << "one of two";
  for (const char* part : {"Blok", "parity", "s3", "chance, %", "16.7", "50.0", "llama.gab"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(text.find("recall"), std::string::npos) << text;
  EXPECT_LT(text.find("50.0"), text.find("16.7")) << "in the table's order: " << text;

  const auto [json_code, json] = command("--tasks s3 " + llama + "--steps 3 --json");
  EXPECT_EQ(json_code, 0) << json;
  const auto result = record::parse_capability_result(json.substr(json.find("{\"version")));
  ASSERT_TRUE(result.has_value()) << json;
  ASSERT_EQ(result->tasks.size(), 1U);
  EXPECT_EQ(result->tasks[0].scores.size(), 2U);
  EXPECT_EQ(result->design, "Llama");

  const auto [hint_code, hint] = command(llama + "--tasks recal");
  EXPECT_EQ(hint_code, 2);
  EXPECT_NE(hint.find("unknown task 'recal"), std::string::npos) << hint;
  EXPECT_NE(hint.find("did you mean 'recall'?"), std::string::npos) << hint;
  EXPECT_NE(command("--help").text.find("--tasks"), std::string::npos);
  EXPECT_EQ(command("nowhere.gab").code, 2);
  EXPECT_EQ(command(llama + "--steps 0").code, 2);
}

}  // namespace
}  // namespace gabbro
