// Tests every anchor of a trial with the fault that it is meant to detect: each planted fault is refused, and
// by the intended anchor.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/random.h"
#include "data/made_corpus.h"
#include "ir/builder.h"
#include "lang/check.h"
#include "trial/anchors.h"
#include "trial/lying_model.h"
#include "trial/trial.h"
#include "worker/tiny.h"
#include "zoo/embedded.h"
#include "zoo/library.h"
#include "zoo/sized.h"

namespace gabbro::testing {
namespace {

namespace fs = std::filesystem;

class Faults : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_faults" + std::to_string(getpid()));
    make_corpus(root, stone_text());
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  static record::TrialSpec spec() { return tiny_spec(root, 80); }

  // True for the graph of a trial, whose vocabulary has 320 tokens. Those of the probe have 31.
  static bool is_of_the_trial(const ir::Graph& graph) { return graph.env.vocab >= 100; }

  // The lies begin with the trial; the probe before it gets an honest backend.
  static trial::MakeModel lying_after_the_probe(Lies lies) {
    return [lies](const ir::Graph& graph, std::uint64_t seed) -> std::unique_ptr<exec::Model> {
      auto model = trial::torch_backend()(graph, seed);
      if (!is_of_the_trial(graph)) return model;
      return std::make_unique<LyingModel>(std::move(model), lies);
    };
  }

  // Returns the names of the anchors that do not hold, with commas between them.
  static std::string failed(const record::TrialResult& r) {
    std::string out;
    for (const record::Anchor& a : r.anchors)
      if (!a.holds) out += (out.empty() ? "" : ", ") + a.name;
    return out;
  }

  // Returns a result with the anchors of a model that is compared on `sample`.
  static record::TrialResult anchored_on(const exec::TokenBatch& sample, const ir::Graph& graph,
                                         exec::Model& model, const record::TrialSpec& spec) {
    record::TrialResult out;
    out.anchors = trial::anchors({.spec = spec,
                                  .result = {},
                                  .graph = graph,
                                  .outputs = graph.bodies[0].outputs,
                                  .model = model,
                                  .vocab = 320,
                                  .sample = sample,
                                  .other = sample});
    return out;
  }

  static record::TrialResult run(Lies lies) { return trial::run(spec(), {}, lying_after_the_probe(lies)); }

  static fs::path root;
};
fs::path Faults::root;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Faults, HonestModelsPass) {
  const record::TrialResult r = run({});
  EXPECT_EQ(r.status, record::Status::kDone) << r.cause;
  ASSERT_EQ(r.anchors.size(), record::kAnchors.size());
  for (std::size_t i = 0; i < r.anchors.size(); ++i) EXPECT_EQ(r.anchors[i].name, record::kAnchors[i]);
  EXPECT_EQ(r.text_hash.size(), 16U);
}

// Every check has an answer at every length, so that a result can be read.
TEST_F(Faults, HonestModelsPassAtShortLengths) {
  for (const std::int64_t length : {1, 2, 3, 8, 15, 16}) {
    record::TrialSpec s = spec();
    s.tokens = std::max<std::int64_t>(length * s.sequences * 40, 4'000);
    s.length = length;
    const record::TrialResult r = trial::run(s, {}, trial::torch_backend());
    ASSERT_EQ(r.anchors.size(), record::kAnchors.size()) << length << ": " << r.cause;
    for (const record::Anchor& a : r.anchors)
      EXPECT_TRUE(a.holds || a.name == "better than bigrams") << length << ", " << a.name << ": " << a.detail;
    if (r.status != record::Status::kDone) {
      EXPECT_TRUE(record::is_refused_for_score(r)) << length << ": " << r.cause;
    }
  }
}

TEST_F(Faults, FirstLossThatIsNotUniform) {
  auto first = std::make_shared<bool>(true);
  const auto r = run({.after_step = [=](exec::StepReport& report) {
    if (*first) report.loss *= 0.9;  // as if targets leaked
    *first = false;
  }});
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_EQ(failed(r), "first loss") << r.cause;
}

// The first moments of an update that forgets earlier gradients are its gradient.
TEST_F(Faults, GradientsOfAnotherFunction) {
  for (const float factor : {0.8F, 0.0F, std::numeric_limits<float>::quiet_NaN()}) {
    const auto r = run({.moments = [=](std::vector<exec::NamedArray>& moments) {
      for (exec::NamedArray& a : moments)
        if (a.name.starts_with("m/") && a.shape.size() > 1) {
          for (float& v : a.data) v *= factor;
          return;
        }
    }});
    EXPECT_EQ(failed(r), "gradient") << factor << ": " << r.cause;
  }
}

TEST_F(Faults, UntrainedWeightsScored) {
  // The model shows the trained weights but uses others.
  auto untrained = std::make_shared<std::unique_ptr<exec::Model>>();
  const auto backend = [=](const ir::Graph& graph, std::uint64_t seed) -> std::unique_ptr<exec::Model> {
    auto model = trial::torch_backend()(graph, seed);
    if (!is_of_the_trial(graph)) return model;
    *untrained = trial::torch_backend()(graph, seed);
    return std::make_unique<LyingModel>(
        std::move(model), Lies{.after_losses = [=](const exec::TokenBatch& batch, std::vector<float>& out) {
          out = (*untrained)->losses(batch);
        }});
  };
  const auto r = trial::run(spec(), {}, backend);
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_EQ(failed(r), "better than bigrams, backend = reference, decoding = parallel") << r.cause;
}

TEST_F(Faults, WeightsThatChangeBetweenTrainingAndScoring) {
  auto reads = std::make_shared<int>(-1);  // of the weights since the last step; -1 before the first
  const auto r = run({.after_step = [=](exec::StepReport&) { *reads = 0; },
                      .weights =
                          [=](std::vector<exec::NamedArray>& arrays) {
                            if (*reads >= 0 && (*reads)++ > 0) arrays[0].data[0] += 1e-6F;
                          }});
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_EQ(failed(r), "weights") << r.cause;
}

TEST_F(Faults, ShuffledTargets) {
  auto random = std::make_shared<Random>(1);
  const auto r = run({.before_step = [=](exec::TokenBatch& batch) {
    for (std::size_t i = batch.targets.size() - 1; i > 0; --i)
      std::swap(batch.targets[i],
                batch.targets[static_cast<std::size_t>(random->below(static_cast<std::int64_t>(i) + 1))]);
  }});
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_EQ(failed(r), "better than bigrams, gradient") << r.cause;
}

TEST_F(Faults, ScoresThatAreNotNumbers) {
  auto r = run({.after_losses = [](const exec::TokenBatch&, std::vector<float>& out) { out[0] = NAN; }});
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_EQ(failed(r), "whole text") << r.cause;
  auto steps = std::make_shared<int>(0);
  r = run({.after_step = [=](exec::StepReport&) { ++*steps; },
           .after_losses =
               [=](const exec::TokenBatch&, std::vector<float>& out) {
                 if (*steps > 0) out[0] = NAN;
               }});
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_TRUE(contains(failed(r), "finite")) << failed(r);
  *steps = 0;
  r = run({.after_step = [=](exec::StepReport& report) {
    if (++*steps == 20) report = {.loss = NAN, .gradient_norm = 1, .updated = false};
  }});
  EXPECT_EQ(r.status, record::Status::kFailed);
  EXPECT_TRUE(contains(r.cause, "step 19")) << r.cause;
}

TEST_F(Faults, BackendThatComputesSomethingElse) {
  const auto r = run({.after_losses = [](const exec::TokenBatch&, std::vector<float>& out) {
    for (float& v : out) v *= 0.99F;  // This also improves the score.
  }});
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_EQ(failed(r), "backend = reference, decoding = parallel") << r.cause;
}

// Lies that only the checks of unseen influences can detect: at a single position, at a distance of one, by
// less than any allowed rounding.
class LeakChecks : public ::testing::Test {
 protected:
  static constexpr std::int64_t kEnd = 310;  // stands at the beginning of held-out documents alone
  // A budget so small that the anchors check few positions.
  static constexpr std::int64_t kSmallBudget = 300'000;
  using Lie = std::function<void(const exec::TokenBatch&, std::vector<float>&)>;
  struct Setup {
    Lie losses, decoding;  // change the losses, and the losses of decoding; null: honest
    std::int64_t tokens = 1'000'000;
    record::Dtype dtype = record::Dtype::kFloat32;
    bool thorough = false;
  };
  // Returns the anchors that fail, among those that run the model.
  static std::string failed_with(Setup setup) {
    const lang::CheckReport report = lang::check(
        "design M:\n    width = 32\n    vocab = 320\n    stack = [Block, RMSNorm]\n", zoo::library());
    const ir::Graph& graph = report.subjects.at(0).elaboration.graph;
    LyingModel model(trial::torch_backend({.dtype = setup.dtype})(graph, 1),
                     {.after_losses = std::move(setup.losses), .after_decoding = std::move(setup.decoding)});
    Random random(5);
    const auto text = [&] {
      exec::TokenBatch out{.sequences = 4, .length = 128, .starts = std::vector<std::int64_t>(512, 0)};
      for (int i = 0; i < 512; ++i)
        out.tokens.push_back(random.below(300)), out.targets.push_back(random.below(300));
      return out;
    };
    record::TrialSpec s;
    s.tokens = setup.tokens;
    s.sequences = 4;
    s.length = 128;
    s.dtype = setup.dtype;
    s.thorough = setup.thorough;
    const record::TrialResult result;
    const exec::TokenBatch sample = text(), other = text();
    exec::TokenBatch scored = text();
    for (std::size_t row = 0; row < 4; ++row) scored.tokens[row * 128] = kEnd;
    std::string out;
    const std::vector<record::Anchor> checked = trial::anchors({.spec = s,
                                                                .result = result,
                                                                .graph = graph,
                                                                .outputs = graph.bodies[0].outputs,
                                                                .model = model,
                                                                .vocab = 320,
                                                                .sample = sample,
                                                                .other = other,
                                                                .scored = scored});
    for (const record::Anchor& a : checked)
      for (const char* name :
           {"backend = reference", "future", "documents", "batch", "place", "decoding = parallel"})
        if (!a.holds && a.name == name) out += (out.empty() ? "" : ", ") + a.name;
    return out;
  }
  static std::int64_t token(const exec::TokenBatch& b, std::int64_t row, std::int64_t t) {
    return b.tokens[static_cast<std::size_t>(row * b.length + t)];
  }
  static float& loss(const exec::TokenBatch& b, std::vector<float>& out, std::int64_t row, std::int64_t t) {
    return out[static_cast<std::size_t>(row * b.length + t)];
  }
};

TEST_F(LeakChecks, HonestModels) {
  EXPECT_EQ(failed_with({}), "");
  EXPECT_EQ(failed_with({.tokens = kSmallBudget}), "");
  EXPECT_EQ(failed_with({.tokens = kSmallBudget, .dtype = record::Dtype::kBf16}), "");
}

TEST_F(LeakChecks, NextTokenAtOnePosition) {
  for (const std::int64_t at : {0, 1, 37, 64, 101, 126})
    EXPECT_EQ(failed_with({.losses =
                               [=](const exec::TokenBatch& b, std::vector<float>& out) {
                                 for (std::int64_t row = 0; row < b.sequences && b.length > at + 1; ++row)
                                   loss(b, out, row, at) += 1e-6F * static_cast<float>(token(b, row, at + 1));
                               }}),
              "future")
        << at;
}

TEST_F(LeakChecks, NextTokenInRowsThatBeginADocument) {
  EXPECT_EQ(failed_with({.losses =
                             [](const exec::TokenBatch& b, std::vector<float>& out) {
                               for (std::int64_t row = 0; row < b.sequences && b.starts.empty(); ++row)
                                 for (std::int64_t t = 20; token(b, row, 0) == kEnd && t + 1 < b.length; ++t)
                                   loss(b, out, row, t) += 1e-6F * static_cast<float>(token(b, row, t + 1));
                             }}),
            "future");
}

TEST_F(LeakChecks, OtherDocumentsInThoseThatBeginAsScored) {
  EXPECT_EQ(failed_with({.losses =
                             [](const exec::TokenBatch& b, std::vector<float>& out) {
                               for (std::size_t i = 0; i < b.starts.size(); ++i) {
                                 const std::int64_t row = static_cast<std::int64_t>(i) / b.length,
                                                    t = static_cast<std::int64_t>(i) % b.length;
                                 if (b.starts[i] > 0 && token(b, row, b.starts[i]) == kEnd)
                                   loss(b, out, row, t) +=
                                       1e-6F * static_cast<float>(token(b, row, b.starts[i] - 1));
                               }
                             }}),
            "documents");
}

TEST_F(LeakChecks, LastTokenOfTheTextInEverySeventhPosition) {
  EXPECT_EQ(failed_with({.losses =
                             [](const exec::TokenBatch& b, std::vector<float>& out) {
                               for (std::int64_t row = 0; row < b.sequences && b.starts.empty(); ++row)
                                 for (std::int64_t t = 3; t + 1 < b.length; t += 7)
                                   loss(b, out, row, t) +=
                                       1e-6F * static_cast<float>(token(b, row, b.length - 1));
                             },
                         .tokens = kSmallBudget}),
            "future");
}

TEST_F(LeakChecks, LastBitWhereTheTextGoesOnInOneWay) {
  EXPECT_EQ(failed_with({.losses =
                             [](const exec::TokenBatch& b, std::vector<float>& out) {
                               for (std::int64_t row = 0; row < b.sequences; ++row)
                                 for (std::int64_t t = 60; t + 1 < b.length; ++t)
                                   if (token(b, row, t + 1) % 16 == 3)
                                     loss(b, out, row, t) = std::nextafter(loss(b, out, row, t), 0.0F);
                             },
                         .tokens = kSmallBudget}),
            "future");
}

TEST_F(LeakChecks, DocumentBefore) {
  EXPECT_EQ(failed_with({.losses =
                             [](const exec::TokenBatch& b, std::vector<float>& out) {
                               for (std::int64_t row = 0; row < b.sequences && !b.starts.empty(); ++row)
                                 for (std::int64_t t = 0; t < b.length; ++t)
                                   if (const std::int64_t start =
                                           b.starts[static_cast<std::size_t>(row * b.length + t)];
                                       start > 0)
                                     loss(b, out, row, t) +=
                                         1e-6F * static_cast<float>(token(b, row, start - 1));
                             }}),
            "documents");
}

TEST_F(LeakChecks, AnotherRow) {
  EXPECT_EQ(failed_with({.losses =
                             [](const exec::TokenBatch& b, std::vector<float>& out) {
                               for (std::int64_t row = 1; row < b.sequences; ++row)
                                 loss(b, out, row, b.length / 2) +=
                                     1e-6F * static_cast<float>(token(b, row - 1, b.length - 1));
                             }}),
            "batch");
}

TEST_F(LeakChecks, WhereARowStands) {
  EXPECT_EQ(failed_with({.losses =
                             [](const exec::TokenBatch& b, std::vector<float>& out) {
                               for (std::int64_t t = 40; t < b.length; ++t)
                                 loss(b, out, b.sequences - 1, t) += 0.02F;
                             }}),
            "backend = reference, place, decoding = parallel");
}

TEST_F(LeakChecks, StateThatDecodingLoses) {
  EXPECT_EQ(failed_with({.decoding =
                             [](const exec::TokenBatch& b, std::vector<float>& out) {
                               for (std::int64_t row = 0; row < b.sequences && b.length > 99; ++row)
                                 loss(b, out, row, 99) += 0.02F;
                             },
                         .tokens = 2'000'000}),
            "decoding = parallel");
}

// Where rounding changes losses by whole nats, nothing can be compared, so no difference is allowed.
TEST_F(LeakChecks, RoundingThatIsAmplifiedAllowsNoMore) {
  const auto amplified = [](const exec::TokenBatch&, std::vector<float>& out) {
    for (float& v : out) v = 3 + std::fmod(v * 1e6F, 1.0F);
  };
  const std::string failed = failed_with({.losses = amplified, .decoding = amplified});
  EXPECT_TRUE(contains(failed, "decoding = parallel")) << failed;
}

// A normal run checks few positions. When the checks of a leading design are repeated, every position is
// checked.
TEST_F(LeakChecks, ThoroughChecksLookAtEveryPosition) {
  EXPECT_EQ(failed_with({.tokens = kSmallBudget, .thorough = true}), "");
  const auto late = [](const exec::TokenBatch& b, std::vector<float>& out) {
    for (std::int64_t row = 0; row < b.sequences && b.length > 100; ++row) loss(b, out, row, 100) += 0.01F;
  };
  EXPECT_FALSE(contains(failed_with({.losses = late, .tokens = kSmallBudget}), "backend = reference"));
  EXPECT_TRUE(contains(failed_with({.losses = late, .tokens = kSmallBudget, .thorough = true}),
                       "backend = reference"));
  EXPECT_FALSE(contains(failed_with({.decoding = late, .tokens = kSmallBudget}), "decoding"));
  EXPECT_TRUE(
      contains(failed_with({.decoding = late, .tokens = kSmallBudget, .thorough = true}), "decoding"));
}

// The difference allowed in bf16 is what rounding the weights explains, not half a nat.
TEST_F(LeakChecks, WrongNumbersInBf16) {
  EXPECT_NE(failed_with({.losses =
                             [](const exec::TokenBatch&, std::vector<float>& out) {
                               for (float& v : out) v += 0.1F;
                             },
                         .tokens = kSmallBudget,
                         .dtype = record::Dtype::kBf16})
                .find("backend = reference"),
            std::string::npos);
}

// Programs cannot express this, but a faulty compiler could cause it: the backend runs a different graph from
// the one that was proved.
TEST_F(Faults, LeakingGraphBehindTheProof) {
  const auto leaks = [](const ir::Graph& graph, std::uint64_t seed) {
    ir::Graph leaking = graph;
    ir::Builder b(leaking, 0);
    const ir::NodeId logits = graph.bodies[0].outputs[0];
    leaking.bodies[0].outputs[0] =
        b.plus(logits, b.add({.op = ir::Op::kShift, .in = {logits, -1, -1}, .amount = -1}));
    return trial::torch_backend()(leaking, seed);
  };
  const auto r = trial::run(spec(), {}, leaks);
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_EQ(failed(r), "probe") << r.cause;
  EXPECT_TRUE(contains(r.cause, "future")) << r.cause;
  EXPECT_EQ(r.tokens, 0) << "refused before training";
  // If the probe passes, the check of unseen values before training finds the leak.
  const auto after = trial::run(spec(), {}, [&](const ir::Graph& graph, std::uint64_t seed) {
    return is_of_the_trial(graph) ? leaks(graph, seed) : trial::torch_backend()(graph, seed);
  });
  EXPECT_EQ(after.status, record::Status::kRefused);
  EXPECT_EQ(failed(after), "unseen values") << after.cause;
  EXPECT_TRUE(contains(after.cause, "later positions")) << after.cause;
  EXPECT_EQ(after.tokens, 0) << "refused before training";
}

// Before training, at the first rung: a leak at one position, of strange values alone, as a module of
// src/export could have it.
TEST_F(LeakChecks, BeforeTrainingAtEveryPosition) {
  const lang::CheckReport report = lang::check(
      "design M:\n    width = 32\n    vocab = 320\n    stack = [Block, RMSNorm]\n", zoo::library());
  const ir::Graph& graph = report.subjects.at(0).elaboration.graph;
  record::TrialSpec s;
  s.tokens = kSmallBudget;
  s.sequences = 4;
  s.length = 128;
  Random random(5);
  const auto text = [&] {
    exec::TokenBatch out{.sequences = 4, .length = 128, .starts = std::vector<std::int64_t>(512, 0)};
    for (int i = 0; i < 512; ++i)
      out.tokens.push_back(20 + random.below(300)), out.targets.push_back(random.below(300));
    return out;
  };
  const exec::TokenBatch sample = text(), other = text();
  const auto found = [&](const Lie& lie) {
    return trial::unseen_values(graph, lying({.after_losses = lie}), s, sample, other);
  };
  const record::Anchor honest = found({});
  EXPECT_TRUE(honest.holds) << honest.detail;
  for (const std::int64_t at : {0, 1, 37, 64, 101, 126}) {
    const record::Anchor a = found([=](const exec::TokenBatch& b, std::vector<float>& out) {
      for (std::int64_t row = 0; row < b.sequences && b.length > at + 1; ++row)
        if (token(b, row, at + 1) < 20) loss(b, out, row, at) = NAN;
    });
    EXPECT_FALSE(a.holds) << at;
    EXPECT_TRUE(contains(a.detail, "later positions")) << a.detail;
  }
}

// No design of the zoo is refused before training.
TEST_F(LeakChecks, BeforeTrainingTheZooHoldsSlow) {
  Random random(6);
  const auto text = [&] {
    exec::TokenBatch out{.sequences = 4, .length = 128};
    for (int i = 0; i < 512; ++i)
      out.tokens.push_back(random.below(512)), out.targets.push_back(random.below(512));
    return out;
  };
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    if (!lang::last_design(*zoo::program(entry.file))) continue;
    const auto subject = zoo::sized_design(std::string(entry.text), 150'000, 512);
    if (!subject) continue;
    record::TrialSpec s;
    s.tokens = kSmallBudget;
    s.sequences = 4;
    s.length = 128;
    const exec::TokenBatch sample = text(), other = text();
    const record::Anchor a =
        trial::unseen_values(subject->elaboration.graph, trial::torch_backend(), s, sample, other);
    EXPECT_TRUE(a.holds) << entry.file << ": " << a.detail;
  }
}

// exp(-3 t) is 0 in float32 from about position 36 on, and never in float64. The score of such a design is
// not that of the function that was proved.
TEST_F(Faults, AnotherFunctionInFloat32LateInAText) {
  for (const std::string condition : {"exp(-3 * position()) > 0", "position() > -1"}) {
    const lang::CheckReport report =
        lang::check("unit Late(x: [t, D]) -> [t, D]:\n    return where(" + condition +
                        ", 3 * x, 0 * x)\n\ndesign M:\n    width = 16\n    vocab = 320\n"
                        "    stack = [Block, Late, Block]\n",
                    zoo::library());
    ASSERT_TRUE(report.valid()) << report.errors[0].message;
    const ir::Graph& graph = report.subjects.back().elaboration.graph;
    for (const record::Dtype dtype : {record::Dtype::kFloat32, record::Dtype::kBf16}) {
      const auto model = trial::torch_backend({.dtype = dtype})(graph, 1);
      std::vector<exec::NamedArray> weights = model->weights();
      for (exec::NamedArray& a : weights)
        for (float& v : a.data) v *= 1.5F;
      ASSERT_TRUE(model->restore(weights));
      exec::TokenBatch sample{.sequences = 2, .length = 64};
      for (std::int64_t t = 0; t < 128; ++t)
        sample.tokens.push_back(t * 7 % 320), sample.targets.push_back(t * 11 % 320);
      record::TrialSpec s = spec();
      s.dtype = dtype;
      const record::TrialResult anchored = anchored_on(sample, graph, *model, s);
      EXPECT_EQ(contains(failed(anchored), "backend = reference"), condition.starts_with("exp"))
          << condition << " " << failed(anchored) << "\n"
          << anchored.anchors.at(6).detail;
    }
  }
}

// Rounding wipes the state at each late position; as the recurrence is rewritten, it does not.
TEST_F(Faults, AnotherFunctionByARewriteLateInAText) {
  constexpr std::int64_t kLength = 600;
  for (const std::string large : {"1e25", "0"}) {
    const lang::CheckReport report = lang::check(
        "unit Forgets(x: [t, D]) -> [t, D]:\n    v = linear(x, D)\n    a = sigmoid(linear(x, D) + 1)\n"
        "    u = where(position() < 500, 0, " +
            large +
            ")\n    scan S: [D] = 0:\n        S = ((a * S + u) - u) + v\n        y = S * 1\n    return y\n\n"
            "design M:\n    width = 16\n    vocab = 320\n    stack = [Block(mixer=Forgets), RMSNorm]\n",
        zoo::library());
    ASSERT_TRUE(report.valid()) << report.errors[0].message;
    const ir::Graph& graph = report.subjects.back().elaboration.graph;
    const auto model = trial::torch_backend()(graph, 1);
    std::vector<exec::NamedArray> weights = model->weights();
    for (exec::NamedArray& a : weights)
      for (float& v : a.data) v *= 3;
    ASSERT_TRUE(model->restore(weights));
    exec::TokenBatch sample{.sequences = 1, .length = kLength};
    for (std::int64_t t = 0; t < kLength; ++t)
      sample.tokens.push_back(t * t % 311), sample.targets.push_back((t + 1) * (t + 1) % 311);
    const record::TrialResult anchored = anchored_on(sample, graph, *model, spec());
    EXPECT_EQ(contains(failed(anchored), "backend = reference"), large != "0")
        << anchored.anchors.at(6).detail;
  }
}

// The first losses after the training are those of held-out text.
TEST_F(Faults, AnotherFunctionWhileTextIsScored) {
  auto steps = std::make_shared<int>(0);
  const auto r = run({.after_step = [=](exec::StepReport&) { ++*steps; },
                      .after_losses =
                          [=](const exec::TokenBatch&, std::vector<float>& out) {
                            if (*steps != 80) return;
                            for (float& loss : out) loss -= 0.1F;
                            ++*steps;
                          }});
  EXPECT_EQ(failed(r), "backend = reference");
}

// If the graph leaks in both engines alike, it cannot be decoded.
TEST_F(Faults, LeakingGraphInBothEngines) {
  const lang::CheckReport report = lang::check(
      "design M:\n    width = 16\n    vocab = 320\n    stack = [Block, RMSNorm]\n", zoo::library());
  ir::Graph graph = report.subjects.at(0).elaboration.graph;
  ir::Builder b(graph, 0);
  const ir::NodeId logits = graph.bodies[0].outputs[0];
  graph.bodies[0].outputs[0] =
      b.plus(logits, b.add({.op = ir::Op::kShift, .in = {logits, -1, -1}, .amount = -1}));
  const auto model = trial::torch_backend()(graph, 1);
  exec::TokenBatch sample{.sequences = 1, .length = 12};  // the text that both engines read
  for (std::int64_t t = 0; t < 12; ++t) sample.tokens.push_back(3 + t), sample.targets.push_back(4 + t);
  const record::TrialSpec s = spec();
  const record::TrialResult r;
  record::TrialResult anchored;
  anchored.anchors = trial::anchors({.spec = s,
                                     .result = r,
                                     .graph = graph,
                                     .outputs = graph.bodies[0].outputs,
                                     .model = *model,
                                     .vocab = 320,
                                     .sample = sample,
                                     .other = sample});
  EXPECT_TRUE(contains(failed(anchored), "decoding = parallel")) << failed(anchored);
  EXPECT_TRUE(contains(failed(anchored), "future")) << failed(anchored);
  EXPECT_FALSE(contains(failed(anchored), "backend = reference")) << failed(anchored);
}

}  // namespace
}  // namespace gabbro::testing
