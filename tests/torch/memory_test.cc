// Tests of memory: recomputed activations give the same gradient and need less memory by the estimate, and
// estimates grow with the batch.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cmath>

#include "base/random.h"
#include "exec/torch/model.h"
#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

constexpr std::int64_t kVocab = 320;

ir::Graph graph_of(const std::string& stack, int width = 64) {
  const lang::CheckReport report = lang::check(
      "design M:\n    width = " + std::to_string(width) + "\n    vocab = 320\n    stack = " + stack + "\n",
      zoo::library());
  EXPECT_TRUE(report.valid());
  return report.subjects.at(0).elaboration.graph;
}

exec::TokenBatch random_batch(std::int64_t sequences, std::int64_t length) {
  exec::TokenBatch batch{.sequences = sequences, .length = length};
  Random random(5);
  for (std::int64_t row = 0; row < sequences; ++row) {
    const std::int64_t border = random.below(length);  // start of the second document
    for (std::int64_t t = 0; t < length; ++t) {
      batch.tokens.push_back(random.below(kVocab));
      batch.targets.push_back(random.below(kVocab));
      batch.starts.push_back(t < border ? 0 : border);
    }
  }
  return batch;
}

const char* const kStacks[] = {
    "[LearnedPosition, 4 * Block(mixer=MultiHeadAttention, mlp=MLP, norm=LayerNorm), LayerNorm]",
    "[4 * Block, RMSNorm]",
    "[4 * Block(mixer=GatedDeltaNet), RMSNorm]",
    "[4 * Block(mixer=TTTLinear), RMSNorm]",
    "[4 * Residual(inner=Mamba), RMSNorm]",
};

TEST(Memory, RecomputedActivationsGiveTheSameSteps) {
  for (const char* stack : kStacks) {
    SCOPED_TRACE(stack);
    const ir::Graph graph = graph_of(stack);
    const auto kept = exec::torch::make_model(graph, 1, {.threads = 1}),
               recomputed = exec::torch::make_model(graph, 1, {.threads = 1, .recompute = true});
    EXPECT_LT(recomputed->step_bytes(8, 64), 0.8 * static_cast<double>(kept->step_bytes(8, 64)));
    const exec::TokenBatch batch = random_batch(4, 64);
    exec::Update update;
    update.base_fan_in = 64;
    for (int step = 0; step < 3; ++step) {
      const exec::StepReport a = kept->step(batch, update), b = recomputed->step(batch, update);
      EXPECT_NEAR(a.loss, b.loss, 1e-5 * a.loss) << step;
      EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-4 * a.gradient_norm) << step;
    }
  }
}

TEST(Memory, EstimatesGrowWithTheBatch) {
  for (const char* stack : kStacks) {
    SCOPED_TRACE(stack);
    const auto model = exec::torch::make_model(graph_of(stack), 1, {.threads = 1});
    const std::int64_t one = model->step_bytes(1, 128), eight = model->step_bytes(8, 128),
                       long_one = model->step_bytes(1, 1024);
    EXPECT_GT(eight, 2 * one);
    EXPECT_GT(long_one, 2 * one);
    EXPECT_LT(eight, 8 * one);
  }
}

}  // namespace
}  // namespace gabbro
