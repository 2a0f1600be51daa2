// Tests of decoding with the torch backend: one position at a time gives the same values as all positions at
// once, in float64.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "edit/build.h"
#include "exec/torch/decoder.h"
#include "exec/torch/model.h"
#include "exec/torch/stepper.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "torch/agree.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

namespace backend = exec::torch;

constexpr int kLength = 19, kSequences = 2;  // A cache has an initial capacity of 16 positions.

at::Tensor double_tensor(const exec::Tensor& x) {
  const std::vector<std::int64_t> sizes(x.dims.begin(), x.dims.end());
  return at::from_blob(const_cast<double*>(x.data.data()), sizes, at::kDouble).clone();
}

void expect_steps_equal(const lang::Elaboration& e, double tolerance = 1e-8) {
  ASSERT_TRUE(e.ok());
  at::set_num_threads(1);  // The tensors are small.
  const Sequences s = random_sequences(e, kSequences, kLength, 5);
  const backend::Settings settings{.dtype = at::kDouble};
  std::vector<at::Tensor> params, tokens;
  for (const exec::Tensor& p : s.feeds[0].params) params.push_back(double_tensor(p));
  backend::Batch batch;
  for (const exec::Feed& feed : s.feeds) tokens.push_back(at::tensor(feed.tokens, at::kLong));
  batch.tokens = at::stack(tokens);
  for (std::size_t i = 0; i < s.feeds[0].inputs.size(); ++i) {
    std::vector<at::Tensor> rows;
    for (const exec::Feed& feed : s.feeds) rows.push_back(double_tensor(feed.inputs[i]));
    batch.inputs.push_back(at::stack(rows));
  }
  backend::Executor executor(e.graph, e.outputs, settings);
  const std::vector<at::Tensor> whole = executor.run(params, batch);
  backend::Stepper stepper(e.graph, e.outputs, params, settings);
  for (std::int64_t t = 0; t < kLength; ++t) {
    std::vector<at::Tensor> inputs;
    for (const at::Tensor& x : batch.inputs) inputs.push_back(x.select(1, t));
    const std::vector<at::Tensor> now = stepper.step(batch.tokens.select(1, t), inputs);
    for (std::size_t i = 0; i < now.size(); ++i) {
      const at::Tensor want = whole[i].select(1, t);
      const double scale = std::max(1.0, want.abs().max().item<double>());
      const double difference = (now[i] - want).abs().max().item<double>();
      ASSERT_LE(difference, tolerance * scale) << "output " << i << " at position " << t;
    }
  }
  EXPECT_EQ(stepper.position(), kLength);
}

lang::Elaboration design(const std::string& text, std::int64_t width) {
  lang::ElaborateOptions options;
  options.width = width;
  options.vocab = 50;
  const lang::CheckReport report = lang::check(text, zoo::library(), options);
  for (const Error& error : report.errors) ADD_FAILURE() << format_error("design", error);
  return report.subjects.empty() ? lang::Elaboration{} : report.subjects.back().elaboration;
}

TEST(TorchStepper, EqualsParallelOnEveryDesignOfTheZoo) {
  int designs = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items) {
      const auto* d = std::get_if<lang::Design>(&item.value);
      if (!d) continue;
      SCOPED_TRACE(d->name);
      lang::ElaborateOptions options;
      options.width = 32;
      options.vocab = 50;
      expect_steps_equal(lang::elaborate(zoo::library(), *d, options));
      if (HasFailure()) return;
      ++designs;
    }
  EXPECT_GE(designs, 35);
}

TEST(TorchStepper, EqualsParallelOnEveryUnitOfTheZoo) {
  int units = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items) {
      const auto* unit = std::get_if<lang::Unit>(&item.value);
      if (!unit) continue;
      SCOPED_TRACE(unit->name);
      for (const int width : {16, 32, 64}) {  // The unit runs at the first width that it can have.
        lang::ElaborateOptions options;
        options.width = width;
        const lang::Elaboration e = lang::elaborate(zoo::library(), edit::build::name(unit->name), options);
        if (!e.ok()) continue;
        expect_steps_equal(e);
        ++units;
        break;
      }
      if (HasFailure()) return;
    }
  EXPECT_GE(units, 50);
}

TEST(TorchStepper, KeepsWindowsInRings) {
  for (const char* mixer : {"Attention(window=1)", "Attention(window=3)", "Attention(window=16)",
                            "Attention(window=17)", "ForgettingAttention(window=16)"}) {
    SCOPED_TRACE(mixer);
    expect_steps_equal(design(std::string("design W:\n    stack = [2 * Block(mixer=") + mixer +
                                  "), Block(mixer=Attention(window=5)), Block, RMSNorm]\n",
                              64));
  }
}

// The decoder gives the same losses as the model for the same text.
TEST(TorchStepper, DecodesWithTheWeightsOfAModel) {
  const lang::Elaboration e = design("design M:\n    stack = [2 * Block, RMSNorm]\n", 32);
  const auto model = backend::make_model(e.graph, 3, {.threads = 1});
  Random random(7);
  exec::TokenBatch batch{.sequences = 1, .length = 12};
  for (int i = 0; i < 12; ++i) {
    batch.tokens.push_back(random.below(50));
    batch.targets.push_back(random.below(50));
  }
  const exec::Scores scores = model->score(batch);
  EXPECT_EQ(scores.losses, model->losses(batch));
  backend::Decoder decoder(e.graph, model->weights(), 1);
  for (std::size_t t = 0; t < 12; ++t) {
    const std::vector<float> logits = decoder.step(batch.tokens[t]);
    ASSERT_EQ(logits.size(), 50U);
    double sum = 0;
    for (const float x : logits) sum += std::exp(x);
    const auto target = static_cast<std::size_t>(batch.targets[t]);
    EXPECT_NEAR(std::log(sum) - logits[target], scores.losses[t], 1e-5);
    EXPECT_EQ(*std::max_element(logits.begin(), logits.end()) == logits[target], scores.greedy[t]);
  }
}

}  // namespace
}  // namespace gabbro::testing
