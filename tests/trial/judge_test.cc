#include "trial/judge.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "exec/reference/predicted_cost.h"
#include "trial/backend.h"
#include "zoo/sized.h"

namespace gabbro::trial {
namespace {

constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();

exec::TokenBatch row_of_length(std::int64_t length) {
  exec::TokenBatch out{.sequences = 1, .length = length};
  for (std::int64_t t = 0; t < length; ++t) {
    out.tokens.push_back(t * t % 61);
    out.targets.push_back(t * 7 % 61);
  }
  return out;
}

// As it is written, rounding wipes the state at every step; the rewrite adds the numbers in another order.
// The formula of past positions makes long rows expensive.
const std::string kForgetful = R"(unit Forgetful(x: [t, D]) -> [t, D]:
    v = linear(x, D)
    u = where(position() < 2, 0, 1e25)
    scan S: [D] = 0:
        S = ((0.9 * S + u) - u) + v
        y = S * 1
    return y + sum(sin(0.1 * x * past(x)), over=s)

design A:
    stack = [Block(mixer=Forgetful), RMSNorm]
)";

lang::Subject sized(const std::string& program, std::int64_t params) {
  auto out = zoo::sized_design(program, params, 64);
  EXPECT_TRUE(out) << out.error().message;
  return std::move(*out);
}

TEST(Judge, RunsRowsAsWrittenAsFarAsItCan) {
  const lang::Subject subject = sized(kForgetful, 20'000);
  const ir::Graph& graph = subject.elaboration.graph;
  record::TrialSpec spec;
  spec.seed = 3;
  spec.threads = 1;
  const exec::TokenBatch row = row_of_length(40);
  const auto model_as = [&](bool as_written) {
    return torch_backend({.dtype = record::Dtype::kFloat64, .as_written = as_written})(graph, spec.seed);
  };
  const std::vector<float> written = model_as(true)->losses(row), rewritten = model_as(false)->losses(row);
  ASSERT_NE(std::vector<float>(written.begin(), written.begin() + 20),
            std::vector<float>(rewritten.begin(), rewritten.begin() + 20));
  const auto judged = [&](std::int64_t length, std::int64_t left, std::size_t as_written) {
    Judge judge(graph, subject.elaboration.outputs, spec, length, left);
    std::vector<double> want(rewritten.begin(), rewritten.end());
    std::copy_n(written.begin(), as_written, want.begin());
    EXPECT_EQ(judge.losses(row), want) << length << ", " << left;
    EXPECT_EQ(judge.note().empty(), as_written == row.tokens.size()) << judge.note();
    return judge.note();
  };
  judged(40, kAll, 40);
  judged(2000, kAll, 40);
  EXPECT_NE(judged(40, 0, 0).find("0 are left"), std::string::npos);
  judged(40, -1, 0);
  const auto needed = [&](std::int64_t length) { return model_as(true)->score_bytes(1, length); };
  ASSERT_GT(needed(40), needed(20));
  ASSERT_GT(needed(20), needed(10));
  judged(40, needed(40), 40);
  judged(40, needed(40) - 1, 20);
  judged(40, needed(20) - 1, 10);
  const auto operations = [&](std::int64_t length) {
    return exec::predict_cost(graph, subject.elaboration.outputs, length).operations;
  };
  std::int64_t longest = 40;
  while (operations(2 * longest) <= Judge::kMostOperations) longest *= 2;
  const Judge judge(graph, subject.elaboration.outputs, spec, 2 * longest, kAll);
  EXPECT_NE(judge.note().find("first " + std::to_string(longest) + " tokens"), std::string::npos)
      << judge.note();
  EXPECT_NE(judge.note().find("operations"), std::string::npos) << judge.note();
}

TEST(Judge, UsesTheWeightsThatItGets) {
  const lang::Subject subject = sized("design A:\n    stack = [Block, RMSNorm]\n", 10'000);
  const ir::Graph& graph = subject.elaboration.graph;
  const auto other = torch_backend({.dtype = record::Dtype::kFloat64, .as_written = true})(graph, 8);
  const exec::TokenBatch row = row_of_length(12);
  const std::vector<float> losses = other->losses(row);
  const std::int64_t needed = other->score_bytes(1, 12);
  for (const std::int64_t left : {kAll, needed - 1, std::int64_t{0}}) {
    Judge judge(graph, subject.elaboration.outputs, {.seed = 3, .threads = 1}, 12, left);
    judge.restore(other->weights());
    const std::vector<double> got = judge.losses(row);
    for (std::size_t t = 0; t < losses.size(); ++t) EXPECT_NEAR(got[t], losses[t], 1e-6) << t << ", " << left;
  }
}

}  // namespace
}  // namespace gabbro::trial
