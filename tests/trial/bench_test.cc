// Tests of `gabbro bench` and its job: results are positive and consistent with each other, and what cannot
// be measured is explained. Absolute times are not tested.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "cli/run.h"
#include "lang/check.h"
#include "paths.h"
#include "record/bench.h"
#include "trial/bench.h"
#include "trial/job.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

record::BenchSpec small() {
  record::BenchSpec s;
  s.file = "tiny.gab";
  s.program = "design Tiny:\n    width = 32\n    vocab = 100\n    stack = [2 * Block, RMSNorm]\n";
  s.sequences = 2;
  s.length = 16;
  s.steps = 2;
  s.decode = 3;
  s.threads = 1;
  return s;
}

void expect_consistent(const record::BenchResult& r, const record::BenchSpec& s) {
  ASSERT_EQ(r.status, record::Status::kDone) << r.cause;
  const double tokens = static_cast<double>(s.sequences * s.length);
  for (const double x : {r.check_seconds, r.model_seconds, r.first_step_seconds, r.step_seconds,
                         r.score_tokens_per_second, r.train_flops_per_token, r.score_flops_per_token})
    EXPECT_GT(x, 0) << to_json(r);
  EXPECT_NEAR(r.train_tokens_per_second * r.step_seconds, tokens, 1e-6 * tokens);
  EXPECT_DOUBLE_EQ(r.train_flops_per_second, r.train_tokens_per_second * r.train_flops_per_token);
  EXPECT_DOUBLE_EQ(r.score_flops_per_second, r.score_tokens_per_second * r.score_flops_per_token);
  EXPECT_DOUBLE_EQ(r.train_flops_per_token, 3 * r.score_flops_per_token);
  EXPECT_GE(r.peak_bytes, r.idle_bytes);
  EXPECT_GT(r.idle_bytes, static_cast<std::uint64_t>(r.params) * sizeof(float));
}

TEST(Bench, NumbersArePositiveAndAgree) {
  const record::BenchSpec s = small();
  std::vector<std::string> stages;
  const record::BenchResult r = trial::run(s, [&](const record::Progress& p) {
    EXPECT_GT(p.share, 0);
    EXPECT_LE(p.share, 1);
    if (stages.empty() || stages.back() != p.stage) stages.push_back(p.stage);
    return true;
  });
  expect_consistent(r, s);
  EXPECT_EQ(stages, (std::vector<std::string>{"timing training", "timing scoring", "timing decoding"}));
  EXPECT_GT(r.decode_tokens_per_second, 0);
  EXPECT_GT(r.peak_flops_per_second, 0);
  const lang::CheckReport report = lang::check(s.program, zoo::library());
  ASSERT_TRUE(report.valid()) << report.errors[0].message;
  const lang::Subject& design = report.subjects.back();
  const ir::TokenCosts costs =
      ir::token_costs(design.facts, design.elaboration.graph.env, s.sequences, s.length);
  EXPECT_EQ(r.hash, to_hex(design.hash));
  EXPECT_EQ(r.width, 32);
  EXPECT_EQ(r.vocab, 100);
  EXPECT_EQ(r.params, ir::count_params(design.elaboration.graph));
  EXPECT_DOUBLE_EQ(r.train_flops_per_token, costs.train_flops);
}

TEST(Bench, ResizesAndLeavesOutWhatIsNotAskedFor) {
  record::BenchSpec s = small();
  s.params = 60000;
  s.vocab = 200;
  s.decode = 0;
  s.dtype = record::Dtype::kFloat64;
  const record::BenchResult r = trial::run(s);
  expect_consistent(r, s);
  EXPECT_NEAR(static_cast<double>(r.params), 60000, 600);
  EXPECT_EQ(r.vocab, 200);
  EXPECT_EQ(r.decode_tokens_per_second, 0);
  EXPECT_EQ(r.peak_flops_per_second, 0) << "there is no peak of float64 products";
}

TEST(Bench, StopsAndSaysWhatItCannotDo) {
  EXPECT_EQ(trial::run(small(), [](const record::Progress&) { return false; }).status,
            record::Status::kStopped);

  record::BenchSpec s = small();
  s.program = "design Tiny:\n    stack = [Blok]\n";
  record::BenchResult r = trial::run(s);
  EXPECT_EQ(r.status, record::Status::kFailed);
  EXPECT_NE(r.cause.find("tiny.gab:2:"), std::string::npos) << r.cause;
  EXPECT_NE(r.cause.find("Blok"), std::string::npos) << r.cause;

  s = small();
  s.program =
      "unit U(x: [t, D]) -> [t, D]:\n    return exp(1000 * exp(x * x))\n\ndesign M:\n    stack = "
      "[Block(mlp=U), RMSNorm]\n";
  r = trial::run(s);
  EXPECT_EQ(r.status, record::Status::kFailed);
  EXPECT_NE(r.cause.find("step 1 is not finite"), std::string::npos) << r.cause;

  s = small();
  s.steps = 0;
  const auto out = record::parse_bench_result(trial::run_job(to_json(s)));
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->status, record::Status::kFailed);
  EXPECT_NE(out->cause.find("steps is 0, but must be at least 1"), std::string::npos) << out->cause;
}

Output command(const std::string& arguments) {
  return gabbro("bench --threads 1 --steps 1 --batch 2 --seq 16 --decode 2 " + arguments);
}

TEST(Bench, Command) {
  const std::string zoo = source_path("/zoo/"), wrong = ::testing::TempDir() + "/bench_wrong.gab";
  std::ofstream(wrong) << "design M:\n    stack = [Blok, Blik]\n";
  const auto [code, text] = command(wrong + " " + zoo + "llama.gab --params 300k --vocab 512");
  EXPECT_EQ(code, 1) << "one of two";
  for (const char* part :
       {"Blok", "Llama with 300", "compile", "training", "% of the peak", "decoding", "memory"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;

  const auto [json_code, json] = command(zoo + "gla.gab --params 300k --vocab 512 --json");
  EXPECT_EQ(json_code, 0) << json;
  EXPECT_EQ(json.find('\n', json.find('{')), json.size() - 1) << "one line: " << json;
  const auto result = record::parse_bench_result(json.substr(json.find('{')));
  ASSERT_TRUE(result.has_value()) << json;
  EXPECT_EQ(result->file, zoo + "gla.gab");

  EXPECT_EQ(command(zoo + "llama.gab --params 1k").code, 1);
  EXPECT_EQ(command(zoo + "prelude.gab").code, 1);
  EXPECT_EQ(command(zoo + "llama.gab --params many").code, 2);
  EXPECT_EQ(command(zoo + "llama.gab --dtype float8").code, 2);
  EXPECT_EQ(command("nowhere.gab").code, 2);
}

}  // namespace
}  // namespace gabbro
