// Tests of regions over pairs of positions that run as our own passes: which regions have passes, and that
// their results agree with the reference, forward and backward.
#include "exec/torch/pair_program.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.h"
#include "edit/build.h"
#include "edit/generate.h"
#include "exec/torch/model.h"
#include "exec/torch/pair_kernel.h"
#include "exec/torch/processor.h"
#include "ir/convolve.h"
#include "ir/fuse.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "torch/agree.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

// The number of regions over pairs in the graph and its gradient, and how many of them have passes.
struct Count {
  int regions = 0, with_passes = 0;
};

// A graph as training runs it, with its gradient.
struct Lowered {
  ir::Graph graph;
  std::vector<ir::NodeId> wanted;  // outputs and gradients
};

// `inputs` is the number of inputs of the graph. If `convolved` is true, sums over the past with weights by
// distance become convolutions.
Lowered lowered(const lang::Elaboration& e, int inputs, bool convolved) {
  Lowered out;
  out.graph = e.graph;
  out.graph.bodies[0].outputs = e.outputs;
  if (convolved) out.graph = ir::convolve(out.graph);
  out.graph = ir::fuse(out.graph);
  const std::vector<ir::NodeId> outputs = out.graph.bodies[0].outputs;
  out.wanted = gradient_nodes(out.graph, outputs, inputs);
  return out;
}

Count pair_regions(const Lowered& l) {
  Count out;
  const exec::torch::Plan plan =
      exec::torch::make_plan(l.graph, ir::live_nodes(l.graph, 0, l.wanted), l.wanted, {});
  for (const exec::torch::Region& region : plan.regions) {
    if (!region.pairs || region.nodes.empty()) continue;
    ++out.regions;
    out.with_passes +=
        exec::torch::PairProgram::make(l.graph, l.graph.bodies[0].nodes, region).has_value() ? 1 : 0;
  }
  return out;
}

// Returns a unit that computes `value` after `statements`, with the values that these read: 2 heads, a group
// of 3 that shares keys, and axes that precede those of heads.
lang::Elaboration formula(const std::string& value, const std::string& statements = "") {
  constexpr std::pair<std::string_view, std::string_view> kValues[] = {
      {"query", "linear(x, [h, k])"},    {"key", "linear(x, [h, k])"},  {"val", "linear(x, [h, k])"},
      {"group", "linear(x, [h, g, k])"}, {"wide", "linear(x, [c, h])"}, {"cut", "linear(x, [h, k, j])"},
      {"forget", "linear(x, [h])"},      {"single", "linear(x, [k])"},  {"slope", "param([h], init=0.3)"},
  };
  std::string text = "unit Made(x: [t, D]) -> [t, D]:\n    axis c = 5, h = 2, g = 3, k = 4, j = 3\n";
  for (const auto& [name, definition] : kValues) {
    if ((statements + value).find(name) != std::string::npos)
      text += fmt::format("    {} = {}\n", name, definition);
  }
  text +=
      fmt::format("{}    y = {}\n    return linear(y, D) + 0 * x * c * h * g * k * j\n", statements, value);
  const lang::ParseResult parsed = lang::parse(text);
  EXPECT_TRUE(parsed.errors.empty()) << parsed.errors[0].message;
  return elaborated(parsed.program, edit::build::name("Made"), 6);
}

struct Case {
  const char* text;
  bool has_passes = true;  // true if all regions over pairs have passes
};

const Case kFormulas[] = {
    {"sum(softmax(dot(query, past(key), over=k) * 0.5, over=s) * past(val), over=s)"},
    {"sum(softmax(dot(query, past(key, 5), over=k), over=s) * past(val, 5), over=s)"},
    {"sum(softmax(dot(group, past(key), over=k), over=s) * past(val), over=s)"},     // Groups share keys.
    {"sum(softmax(dot(query, past(single), over=k), over=s) * past(val), over=s)"},  // Heads share keys too.
    // Its axes precede those of heads.
    {"sum(softmax(dot(query, past(key), over=k), over=s) * past(wide), over=s)"},
    {"sum(softmax(dot(cut, past(cut), over=[k, j]), over=s) * past(cut), over=s)"},  // two axes
    {"sum(softmax(dot(past(key), sum(softmax(dot(query, past(key), over=k), over=s) * past(val), over=s), "
     "over=k), over=s) * past(val), over=s)"},  // attention twice
    // This region is fused with its gradient.
    {"tanh(sum(softmax(dot(query, past(key), over=k), over=s) * past(val), over=s)) * val"},
    {"sum(sigmoid(dot(query, past(key), over=k)) * past(val), over=s)"},  // not normalised
    // Values of t and of s are added.
    {"sum(sigmoid(dot(query, past(key), over=k) + forget - past(forget)) * past(val), over=s)"},
    {"sum(softmax(dot(query, past(key), over=k) - lag() * slope, over=s) * past(val), over=s)"},
    {"sum((softmax(dot(query, past(key), over=k), over=s) - slope * softmax(dot(val, past(query), over=k), "
     "over=s)) * "
     "past(val), over=s)"},
    {"sum(exp(-lag() * slope) * past(val), over=s) / (sum(exp(-lag() * slope), over=s))"},
    {"sum(relu(dot(query, past(key), over=k)) * past(forget), over=s)"},  // a value for each head
    {"max(dot(query, past(key), over=k), over=s) * val"},
    {"mean(past(val, 6), over=s)"},
    {"max(past(val), over=s)"},
    {"max(dot(query, past(key, 3), over=k), over=s) + sum(dot(query, past(key, 3), over=k) ** 2, over=s)"},
    {"sum(exp(tanh(dot(query, past(key), over=k))) * past(val), over=s) / sum(exp(tanh(dot(query, past(key), "
     "over=k))), over=s)"},
    {"sum(softmax(past(val) + query, over=s) * past(key), over=s)"},  // a head for each element
    {"sum(where(past(forget) < forget, dot(query, past(key), over=k), past(forget) * 0.1) * past(val), "
     "over=s)"},
    {"sum((1 + dot(query, past(key), over=k) ** 2) ** -0.5 * past(val), over=s)"},
    {"sum(softmax(sum(dot(query, past(key), over=k), over=h), over=s) * past(single), over=s)",
     false},  // heads are mixed
};

TEST(PairPrograms, AgreeWithTheReference) {
  for (const Case& c : kFormulas) {
    SCOPED_TRACE(c.text);
    lang::Elaboration e = formula(c.text);
    if (HasFailure()) return;
    for (const int length : {1, 7, 83}) {  // 83 positions need several blocks.
      SCOPED_TRACE(length);
      const Sequences s = random_sequences(e, 1, 2, 3);
      const Count count =
          pair_regions(lowered(e, static_cast<int>(s.feeds[0].inputs.size()), /*convolved=*/false));
      EXPECT_GT(count.regions, 0);
      if (c.has_passes)
        EXPECT_EQ(count.with_passes, count.regions);
      else
        EXPECT_LT(count.with_passes, count.regions);
      expect_agreement(e, length);
    }
    if (HasFailure()) return;
  }
}

// The product of 0 and a value beyond the last position, or in the future, is 0, whatever that value is.
TEST(PairPrograms, ReadNothingBeyondTheLastPosition) {
  for (const char* text : {"sum(sigmoid(dot(query, past(key), over=k)) / past(2 + tanh(forget)), over=s)",
                           "sum(sigmoid(dot(query, past(key), over=k)) * log(past(forget) ** 2), over=s)",
                           "sum(lag() * (past(forget) ** 2) ** -0.25, over=s)"}) {
    SCOPED_TRACE(text);
    const lang::Elaboration e = formula(text);
    if (HasFailure()) return;
    for (const int length : {1, 17}) expect_agreement(e, length);
  }
}

TEST(PairPrograms, KeepNaN) {
  const lang::Elaboration e = formula("max(log(past(forget)), over=s) * val");
  ASSERT_FALSE(HasFailure());
  Sequences s = random_sequences(e, 1, 40, 3);
  EXPECT_EQ(disagreement(e.graph, e.outputs, s, at::kFloat, kFloatTolerance), "");
}

TEST(PairPrograms, NeedNoInputs) { expect_agreement(formula("sum(lag(), over=s) * val"), 7); }

// The gradient of a maximum searches for it among recomputed pairs. Some regions here have no passes.
TEST(PairPrograms, FindMaximaAgain) {
  for (const char* pairs : {"dot(cut, past(cut), over=[k, j])", "dot(group, past(group), over=k)"}) {
    SCOPED_TRACE(pairs);
    const lang::Elaboration e = formula(
        "sum(softmax(sum(scores, over=h) + mean(linear(top, [h]), over=h), over=s) * past(single), over=s) * "
        "top",
        fmt::format("    scores = {}\n    top = max(scores, over=s)\n", pairs));
    if (HasFailure()) return;
    for (const int length : {1, 21}) expect_agreement(e, length);
  }
}

// The formula has more axes than one value can have.
TEST(PairPrograms, AreNotMadeForTooManyHeads) {
  std::string axes, product = "1";
  for (int i = 1; i <= 9; ++i) {
    axes += fmt::format("    axis a{0} = 2\n    x{0} = linear(x, [a{0}])\n", i);
    product += fmt::format(" * mean(sum(tanh(lag() * past(x{0})), over=s), over=a{0})", i);
  }
  expect_agreement(formula(product + " * val", axes), 5);
}

// All kinds of attention in the zoo train without calls of ATen on pairs.
TEST(PairPrograms, ExistForEveryUnitOfTheZoo) {
  Count total;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    const lang::Program* program = zoo::program(entry.file);
    if (!program) continue;
    for (const lang::Item& item : program->items) {
      const auto* unit = std::get_if<lang::Unit>(&item.value);
      if (!unit) continue;
      SCOPED_TRACE(unit->name);
      lang::Elaboration e = lang::elaborate(zoo::library(), edit::build::name(unit->name), {.width = 64});
      if (!e.ok()) continue;
      const Sequences s = random_sequences(e, 1, 2, 3);
      const Count count =
          pair_regions(lowered(e, static_cast<int>(s.feeds[0].inputs.size()), /*convolved=*/true));
      EXPECT_EQ(count.with_passes, count.regions);
      total.regions += count.regions;
    }
  }
  EXPECT_GE(total.regions, 12);
}

// Most random mixers have passes. The others combine mixers whose heads differ.
TEST(PairPrograms, ExistForMostRandomMixers) {
  Count total;
  for (std::uint64_t i = 0; i < 300; ++i) {
    Random random = Random(411).split(i);
    lang::Program program;
    const int statements = 3 + static_cast<int>(random.below(12));
    program.items.push_back({edit::random_unit(random, edit::UnitKind::kMixer, "Made", statements), {}, {}});
    const lang::Elaboration e = elaborated(program, edit::build::name("Made"), 16);
    if (HasFailure()) return;
    const Sequences s = random_sequences(e, 1, 2, 3);
    const Count count =
        pair_regions(lowered(e, static_cast<int>(s.feeds[0].inputs.size()), /*convolved=*/true));
    total.regions += count.regions;
    total.with_passes += count.with_passes;
  }
  EXPECT_GE(total.regions, 200);
  EXPECT_GE(10 * total.with_passes, 9 * total.regions) << total.with_passes << " of " << total.regions;
}

using CrossEntropy = void (*)(float* losses, float* logits, const std::int64_t* targets, std::int64_t rows,
                              std::int64_t width, float scale);

// Rows of any length, in full and partial vectors, for every supported instruction set of this processor.
TEST(PairKernels, GiveTheLossOfLogitsAndItsGradient) {
  std::vector<CrossEntropy> kernels{exec::torch::pair_plain::cross_entropy};
#if defined(__x86_64__)
  if (exec::torch::kAvx2) kernels.push_back(exec::torch::pair_avx2::cross_entropy);
  if (exec::torch::kAvx512) kernels.push_back(exec::torch::pair_avx512::cross_entropy);
#endif
  constexpr std::int64_t kRows = 3;
  constexpr float kScale = 0.25F;
  for (const std::int64_t width : {1, 5, 16, 37, 300})
    for (const CrossEntropy run : kernels) {
      SCOPED_TRACE(width);
      Random random(5);
      std::vector<float> logits, losses(kRows);
      std::vector<std::int64_t> targets;
      for (std::int64_t i = 0; i < kRows * width; ++i)
        logits.push_back(static_cast<float>(8 * random.normal()));
      for (std::int64_t r = 0; r < kRows; ++r) targets.push_back(random.below(width));
      std::vector<float> gradient = logits;
      run(losses.data(), gradient.data(), targets.data(), kRows, width, kScale);
      for (std::int64_t r = 0; r < kRows; ++r) {
        const float* const x = logits.data() + r * width;
        double sum = 0;
        for (std::int64_t k = 0; k < width; ++k) sum += std::exp(static_cast<double>(x[k]));
        EXPECT_NEAR(losses[r], std::log(sum) - x[targets[r]], 1e-5);
        for (std::int64_t k = 0; k < width; ++k)
          EXPECT_NEAR(gradient[r * width + k],
                      kScale * (std::exp(static_cast<double>(x[k])) / sum - (k == targets[r] ? 1 : 0)), 1e-6);
      }
    }
}

// An invalid target must not be used as an index into memory.
TEST(PairKernels, RefuseATargetBeyondTheVocabulary) {
  const lang::CheckReport report = lang::check(
      "design M:\n    width = 16\n    vocab = 20\n    stack = [Block, RMSNorm]\n", zoo::library());
  ASSERT_TRUE(report.valid());
  const auto model = exec::torch::make_model(report.subjects.back().elaboration.graph, 1, {});
  for (const std::int64_t target : {-2, 20}) {
    const exec::TokenBatch batch{.sequences = 1, .length = 2, .tokens = {3, 4}, .targets = {5, target}};
    EXPECT_THROW(model->losses(batch), c10::IndexError);
    EXPECT_THROW(model->step(batch, {}), c10::IndexError);
  }
}

// A design that reads no token has the same logits for all sequences, but their targets differ.
TEST(PairKernels, GiveEachSequenceItsLossWhereLogitsAgree) {
  const lang::CheckReport report = lang::check(
      "unit Blind(x: [t, D]) -> [t, D]:\n    return 0 * x + param([D], init=0.3) + param([D], "
      "init=normal(0.5)) ** 2\n"
      "design M:\n    width = 16\n    vocab = 20\n    tied = true\n    stack = [Blind]\n",
      zoo::library());
  ASSERT_TRUE(report.valid()) << report.errors[0].message;
  const auto model = exec::torch::make_model(report.subjects.back().elaboration.graph, 1, {});
  const exec::TokenBatch batch{
      .sequences = 3, .length = 2, .tokens = {3, 4, 5, 6, 7, 8}, .targets = {5, 6, 7, 8, 9, 10}};
  const std::vector<float> losses = model->losses(batch);
  ASSERT_EQ(losses.size(), batch.targets.size());
  const double mean = std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  EXPECT_NEAR(model->step(batch, {}).loss, mean, 1e-5);
  EXPECT_LT(model->step(batch, {}).loss, mean);
}

}  // namespace
}  // namespace gabbro::testing
