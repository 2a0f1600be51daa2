#include "trial/judge.h"

#include <gtest/gtest.h>

#include <limits>

#include "trial/backend.h"
#include "zoo/sized.h"

namespace gabbro::trial {
namespace {

// Hyena's convolutions are other sums without rewrites, so that their last digits tell which of them ran.
TEST(Judge, RunsTheGraphAsWrittenWhereItCan) {
  const auto subject =
      zoo::sized_design("design A:\n    stack = [Block(mixer=Hyena), RMSNorm]\n", 20'000, 64);
  ASSERT_TRUE(subject) << subject.error().message;
  const ir::Graph& graph = subject->elaboration.graph;
  record::TrialSpec spec;
  spec.seed = 3;
  exec::TokenBatch batch{.sequences = 1, .length = 40};
  for (std::int64_t t = 0; t < batch.length; ++t) {
    batch.tokens.push_back(t * t % 61);
    batch.targets.push_back(t * 7 % 61);
  }
  const auto losses_as = [&](bool as_written) {
    return torch_backend({.dtype = record::Dtype::kFloat64, .as_written = as_written})(graph, spec.seed)
        ->losses(batch);
  };
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  const auto judged = [&](std::int64_t length, std::int64_t left, const std::string& note) {
    const Judge judge = make_judge(graph, spec, length, left);
    EXPECT_NE(judge.note.find(note), std::string::npos) << judge.note;
    EXPECT_EQ(judge.note.empty(), note.empty()) << judge.note;
    EXPECT_EQ(judge.model->losses(batch), losses_as(note.empty()));
  };
  judged(40, kAll, "");
  judged(512, kAll, "");
  judged(513, kAll, "longer than 512");
  judged(40, 0, "0 are left");
  judged(40, -1, "are left");
  const std::int64_t needed = make_judge(graph, spec, 40, kAll).model->score_bytes(1, 40);
  EXPECT_GT(needed, 0);
  judged(40, needed, "");
  judged(40, needed - 1, "are left");
}

}  // namespace
}  // namespace gabbro::trial
