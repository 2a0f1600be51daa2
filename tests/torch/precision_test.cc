// Checks that products in bfloat16 stay close to float32 on every design of the zoo, and differ from it.
#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "exec/torch/model.h"
#include "lang/check.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

constexpr std::int64_t kVocab = 320, kSequences = 2, kLength = 32;
// Weights and values are rounded to 8 bits before every product. These are the limits of the mean and the
// largest difference of losses, in nats. The limit of the gradient's norm is relative, and applies where
// norms of tiny vectors do not amplify differences (in recurrent designs, those occur at the first positions
// of a document).
constexpr double kMeanLossLimit = 0.03, kLossLimit = 0.5, kNormLimit = 0.03;

exec::TokenBatch random_batch() {
  exec::TokenBatch batch{.sequences = kSequences, .length = kLength};
  Random random(5);
  for (std::int64_t i = 0; i < kSequences * kLength; ++i) {
    batch.tokens.push_back(random.below(kVocab));
    batch.targets.push_back(random.below(kVocab));
  }
  return batch;
}

TEST(Precision, RoundedProductsStayNear) {
  const exec::TokenBatch batch = random_batch();
  int designs = 0, rounded = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    lang::ElaborateOptions options;
    options.width = 64;
    options.vocab = kVocab;
    const lang::CheckReport report = lang::check(std::string(entry.text), zoo::library(), options);
    if (!report.valid() || !report.subjects.back().is_design) continue;
    SCOPED_TRACE(entry.file);
    const ir::Graph& graph = report.subjects.back().elaboration.graph;
    using exec::torch::Precision;
    const auto exact = exec::torch::make_model(graph, 1, {.threads = 1}),
               half = exec::torch::make_model(graph, 1, {.threads = 1, .precision = Precision::kBFloat16});
    const std::vector<float> want = exact->losses(batch), got = half->losses(batch);
    double largest = 0, sum = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      largest = std::max<double>(largest, std::abs(want[i] - got[i]));
      sum += std::abs(want[i] - got[i]);
    }
    EXPECT_LT(largest, kLossLimit);
    EXPECT_LT(sum / static_cast<double>(want.size()), kMeanLossLimit);
    EXPECT_TRUE(half->step(batch, {}).updated);
    ++designs;
    rounded += largest > 0 ? 1 : 0;
  }
  EXPECT_GE(designs, 30);
  EXPECT_EQ(rounded, designs) << "some design never met bfloat16";
}

TEST(Precision, GradientsOfRoundedProductsStayNear) {
  const exec::TokenBatch batch = random_batch();
  for (const char* stack : {"[4 * Residual(inner=MLP), RMSNorm]", "[4 * Block, RMSNorm]",
                            "[4 * Residual(inner=SwiGLU), LayerNorm]"}) {
    SCOPED_TRACE(stack);
    const lang::CheckReport report =
        lang::check(std::string("design M:\n    width = 64\n    vocab = 320\n    stack = ") + stack + "\n",
                    zoo::library());
    ASSERT_TRUE(report.valid());
    const ir::Graph& graph = report.subjects.back().elaboration.graph;
    const auto exact = exec::torch::make_model(graph, 1, {.threads = 1}),
               half = exec::torch::make_model(graph, 1,
                                              {.threads = 1, .precision = exec::torch::Precision::kBFloat16});
    const exec::StepReport a = exact->step(batch, {}), b = half->step(batch, {});
    EXPECT_NEAR(a.gradient_norm, b.gradient_norm, kNormLimit * a.gradient_norm);
    EXPECT_NE(a.gradient_norm, b.gradient_norm);
  }
}

// Kernels for matrices of this size allocate memory of their own. It must come from the same place as the
// worker's tensors.
TEST(Precision, LargeRoundedProductsRunInTheMemoryOfTheWorker) {
  exec::torch::keep_memory();
  const at::Tensor a = at::ones({4096, 200}, at::kBFloat16), b = at::ones({200, 499}, at::kBFloat16);
  for (const at::Tensor& product : {at::mm(a, b), at::mm(a.t(), at::mm(a, b))})
    EXPECT_EQ(product.min().item<float>(), product.max().item<float>());
  const at::Tensor c = at::ones({2, 256, 200}, at::kBFloat16);
  EXPECT_EQ(at::bmm(c, c.transpose(1, 2)).max().item<float>(), 200);
}

}  // namespace
}  // namespace gabbro
