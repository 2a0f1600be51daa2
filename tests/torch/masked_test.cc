// Tests of targets that are not scored: they have no loss, no gradient and no part in the mean.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "exec/reference/reference.h"
#include "exec/torch/model.h"
#include "exec/torch/pair_kernel.h"
#include "exec/torch/processor.h"
#include "lang/check.h"
#include "trial/engines.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

using exec::kNotScored;
using Tokens = std::vector<std::int64_t>;

constexpr std::int64_t kVocab = 37, kLength = 12;

const ir::Graph& graph() {
  static const lang::CheckReport report = lang::check(
      "design M:\n    width = 16\n    vocab = 37\n    stack = [Block, RMSNorm]\n", zoo::library());
  return report.subjects.back().elaboration.graph;
}

// `rows` is the number of sequences of a micro-batch; 0: all.
std::unique_ptr<exec::Model> model(std::int64_t rows = 0) {
  return exec::torch::make_model(graph(), 1, {.precision = exec::torch::Precision::kFloat64, .rows = rows});
}

exec::TokenBatch text(std::int64_t sequences, std::int64_t length = kLength) {
  exec::TokenBatch out{.sequences = sequences, .length = length};
  Random random(2);
  for (std::int64_t row = 0; row < sequences; ++row) {
    Random stream = random.split(static_cast<std::uint64_t>(row));
    std::int64_t token = stream.below(kVocab);
    for (std::int64_t t = 0; t < length; ++t) {
      out.tokens.push_back(token);
      out.targets.push_back(token = stream.below(kVocab));
      out.starts.push_back(0);
    }
  }
  return out;
}

void expect_same_weights(const exec::Model& a, const exec::Model& b, double tolerance) {
  const auto x = a.weights(), y = b.weights();
  ASSERT_EQ(x.size(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t k = 0; k < x[i].data.size(); ++k) ASSERT_NEAR(x[i].data[k], y[i].data[k], tolerance);
}

// Expects the same updates and reports. AdamW's first update is the sign of the gradient, so two updates are
// made and the norms are compared as well.
void expect_same_training(const exec::TokenBatch& a, const exec::TokenBatch& b, std::int64_t rows_of_a = 0) {
  const auto first = model(rows_of_a), second = model();
  for (int update = 0; update < 2; ++update) {
    const exec::StepReport x = first->step(a, {.epsilon = 1e-3}), y = second->step(b, {.epsilon = 1e-3});
    EXPECT_NEAR(x.loss, y.loss, 1e-9);
    EXPECT_NEAR(x.gradient_norm, y.gradient_norm, 1e-9);
    EXPECT_TRUE(x.updated && y.updated);
  }
  expect_same_weights(*first, *second, /*tolerance=*/1e-6);
}

// In a causal model, tokens after the last scored position change nothing.
TEST(MaskedTargets, TrainAsTheBeginningAlone) {
  const exec::TokenBatch whole = text(1);
  exec::TokenBatch masked = whole;
  std::fill(masked.targets.begin() + kLength / 2, masked.targets.end(), kNotScored);
  const auto half = [](const Tokens& x) { return Tokens(x.begin(), x.begin() + kLength / 2); };
  expect_same_training(masked, {.sequences = 1,
                                .length = kLength / 2,
                                .tokens = half(whole.tokens),
                                .targets = half(whole.targets),
                                .starts = half(whole.starts)});
}

// The same holds if sequences go through the model in micro-batches, one of which has no scored position.
TEST(MaskedTargets, TrainAsTheOtherSequencesAlone) {
  exec::TokenBatch masked = text(3);
  std::fill(masked.targets.begin() + kLength, masked.targets.begin() + 2 * kLength, kNotScored);
  exec::TokenBatch alone{.sequences = 2, .length = kLength};
  for (const auto part : {&exec::TokenBatch::tokens, &exec::TokenBatch::targets, &exec::TokenBatch::starts})
    for (const std::int64_t row : {0, 2})
      (alone.*part)
          .insert((alone.*part).end(), (masked.*part).begin() + row * kLength,
                  (masked.*part).begin() + (row + 1) * kLength);
  expect_same_training(masked, alone);
  expect_same_training(masked, alone, /*rows_of_a=*/1);
}

TEST(MaskedTargets, LossesAreThoseOfTheReferenceAtScoredPositions) {
  exec::TokenBatch batch = text(1);
  const auto backend = model();
  const exec::Scores whole = backend->score(batch);
  for (std::int64_t t = 0; t < kLength; t += 3) batch.targets[t] = kNotScored;
  exec::Feed feed;
  feed.tokens = batch.tokens;
  const auto weights = backend->weights();
  for (const ir::Param& param : graph().params) {
    exec::Tensor x = exec::zeros(graph(), param.axes, 0);
    for (const exec::NamedArray& a : weights)
      if (a.name == param.name) x.data.assign(a.data.begin(), a.data.end());
    feed.params.push_back(std::move(x));
  }
  const std::vector<double> want =
      trial::losses_of(exec::evaluate(graph(), graph().bodies[0].outputs, feed, kLength)[0], batch.targets);
  const std::vector<float> losses = backend->losses(batch), decoded = backend->decoded_losses(batch);
  const exec::Scores scores = backend->score(batch);
  for (std::int64_t t = 0; t < kLength; ++t) {
    const bool scored = t % 3 != 0;
    EXPECT_NEAR(losses[t], want[t], 1e-5);
    EXPECT_NEAR(decoded[t], want[t], 1e-5);
    if (scored)
      EXPECT_GT(want[t], 0);
    else
      EXPECT_EQ(want[t], 0);
    EXPECT_EQ(scores.losses[t], scored ? whole.losses[t] : 0) << "to the bit";
    EXPECT_EQ(scores.greedy[t], scored && whole.greedy[t]);
  }
}

TEST(MaskedTargets, NothingIsLearnedWithoutScoredPositions) {
  exec::TokenBatch batch = text(2);
  std::fill(batch.targets.begin(), batch.targets.end(), kNotScored);
  const auto trained = model(), untrained = model();
  const exec::StepReport report = trained->step(batch, {.decay = 0});
  EXPECT_EQ(report.loss, 0);
  EXPECT_EQ(report.gradient_norm, 0);
  expect_same_weights(*trained, *untrained, /*tolerance=*/0);
}

// Logits of any value give no gradient at positions that are not scored, and identical bits at the others.
TEST(MaskedTargets, KernelsLeaveOutRowsOfAnyValue) {
  using Kernel = void (*)(float* losses, float* logits, const std::int64_t* targets, std::int64_t rows,
                          std::int64_t width, float scale);
  std::vector<Kernel> kernels{exec::torch::pair_plain::cross_entropy};
#if defined(__x86_64__)
  if (exec::torch::kAvx2) kernels.push_back(exec::torch::pair_avx2::cross_entropy);
  if (exec::torch::kAvx512) kernels.push_back(exec::torch::pair_avx512::cross_entropy);
#endif
  for (const Kernel run : kernels) {
    std::vector<float> logits, losses(3), alone(1);
    Random random(5);
    for (std::int64_t i = 0; i < 3 * kVocab; ++i) logits.push_back(static_cast<float>(random.normal()));
    std::fill(logits.begin(), logits.begin() + kVocab, std::numeric_limits<float>::infinity());
    logits[2 * kVocab] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> row(logits.begin() + kVocab, logits.begin() + 2 * kVocab);
    const Tokens targets{kNotScored, 4, kNotScored};
    run(losses.data(), logits.data(), targets.data(), 3, kVocab, 0.5F);
    run(alone.data(), row.data(), &targets[1], 1, kVocab, 0.5F);
    EXPECT_EQ(losses, (std::vector<float>{0, alone[0], 0}));
    for (std::int64_t k = 0; k < kVocab; ++k) {
      EXPECT_EQ(logits[k], 0);
      EXPECT_EQ(logits[kVocab + k], row[k]);
      EXPECT_EQ(logits[2 * kVocab + k], 0);
    }
  }
}

}  // namespace
}  // namespace gabbro
