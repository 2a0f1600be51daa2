// Tests of the specs of jobs: numbers out of range are refused when a spec is read.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "record/eval.h"
#include "record/trial.h"

namespace gabbro::record {
namespace {

TEST(Spec, NumbersOutOfRangeAreRefusedByName) {
  using Change = std::function<void(TrialSpec&)>;
  const std::vector<std::pair<std::string, Change>> wrong{
      {"length", [](TrialSpec& s) { s.length = 0; }},
      {"length", [](TrialSpec& s) { s.length = std::int64_t{1} << 60; }},
      {"sequences", [](TrialSpec& s) { s.sequences = -1; }},
      {"tokens", [](TrialSpec& s) { s.tokens = 0; }},
      {"params", [](TrialSpec& s) { s.params = -5; }},
      {"rate", [](TrialSpec& s) { s.rate = NAN; }},
      {"rate", [](TrialSpec& s) { s.rate = -1; }},
      {"input_rate", [](TrialSpec& s) { s.input_rate = INFINITY; }},
      {"output_rate", [](TrialSpec& s) { s.output_rate = -1; }},
      {"decay", [](TrialSpec& s) { s.decay = 1e300; }},
      {"threads", [](TrialSpec& s) { s.threads = 0; }},
      {"threads", [](TrialSpec& s) { s.threads = 1 << 30; }},
      {"rows", [](TrialSpec& s) { s.rows = -1; }},
      {"memory", [](TrialSpec& s) { s.memory = -1; }},
      {"checkpoint_seconds", [](TrialSpec& s) { s.checkpoint_seconds = NAN; }},
      {"tokens of a hurdle", [](TrialSpec& s) {
         s.hurdles = {{-1, 2}};
       }}};
  EXPECT_TRUE(parse_spec(to_json(TrialSpec{})));
  for (const auto& [name, change] : wrong) {
    TrialSpec spec;
    change(spec);
    const auto read = parse_spec(to_json(spec));
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().code, "spec") << name;
    EXPECT_EQ(read.error().message.find(name + " is "), 0U) << read.error().message;
  }
}

TEST(Spec, NumbersOutOfRangeOfAnEvaluationAreRefused) {
  EvalSpec spec;
  EXPECT_TRUE(parse_eval_spec(to_json(spec)));
  spec.batch = 0;
  EXPECT_EQ(parse_eval_spec(to_json(spec)).error().message, "batch is 0");
  spec = {};
  spec.length = -1;
  EXPECT_EQ(parse_eval_spec(to_json(spec)).error().message, "length is -1");
  spec = {};
  spec.threads = -1;
  EXPECT_EQ(parse_eval_spec(to_json(spec)).error().message, "threads is -1");
}

// A result with an unknown status is invalid, whatever its other fields are.
// A batch of repetitive text may be predicted perfectly. Hurdles are computed from the recent losses, which
// are not 0.
TEST(Result, MayHaveBatchesThatArePredictedPerfectly) {
  TrialResult r;
  r.status = Status::kHurdle;
  r.tokens = 10;
  r.curve = {{.step = 1, .tokens = 10, .loss = 0, .gradient_norm = 1, .rate = 1, .recent = 0.001}};
  EXPECT_EQ(misfit(r).find("curve"), std::string::npos) << misfit(r);
  r.curve.back().recent = 0;
  EXPECT_NE(misfit(r).find("curve"), std::string::npos);
}

TEST(Spec, AResultOfAnUnknownStatusIsInvalid) {
  TrialResult result;
  result.status = Status::kDone;
  std::string json = to_json(result);
  ASSERT_TRUE(parse_result(json));
  json.replace(json.find("\"done\""), 6, "\"perfect\"");
  const auto parsed = parse_result(json);
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("perfect"), std::string::npos) << parsed.error().message;
}

}  // namespace
}  // namespace gabbro::record
