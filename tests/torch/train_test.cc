// Tests of training with the torch backend: it learns, is bit-reproducible, continues after a stop as if it
// had not been interrupted, and reports failures.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/random.h"
#include "data/made_corpus.h"
#include "eval/bits.h"
#include "exec/torch/model.h"
#include "lang/check.h"
#include "train/batches.h"
#include "train/safetensors.h"
#include "train/trainer.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

// A small corpus, built once.
class Training : public ::testing::Test {
 protected:
  static constexpr std::int64_t kEnd = 2;

  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_training" + std::to_string(getpid()));
    std::ostringstream text;
    Random random(1);
    static const std::vector<std::string> kNouns{"stone", "river", "bridge", "tower", "garden", "road"};
    for (int i = 0; i < 600; ++i)
      for (std::int64_t n = 1 + random.below(6); n >= 0; --n)
        text << "the " << random.pick(kNouns) << " lies by the " << random.pick(kNouns)
             << (n == 0 ? "\n<|endoftext|>\n" : "\n");
    testing::make_corpus(root, text.str());
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  static data::Split split(const std::string& name) {
    return std::move(*data::Corpus::open(root / "corpus")->split(name));
  }

  static std::unique_ptr<exec::Model> model(const std::string& stack = "[Block, RMSNorm]",
                                            std::uint64_t seed = 1) {
    const lang::CheckReport report = lang::check(
        "design M:\n    width = 32\n    vocab = 320\n    stack = " + stack + "\n", zoo::library());
    EXPECT_TRUE(report.valid());
    return exec::torch::make_model(report.subjects.at(0).elaboration.graph, seed, {.threads = 1});
  }

  static train::TrainOptions options(std::int64_t steps) {
    train::TrainOptions o;
    o.sequences = 8;
    o.length = 32;
    o.tokens = steps * o.sequences * o.length;
    o.update.rate = 3e-3;
    o.update.base_fan_in = 32;
    return o;
  }

  static fs::path root;
};
fs::path Training::root;

TEST_F(Training, StartsAtEqualProbabilitiesAndLearns) {
  const auto m = model();
  const auto result = train::train(*m, split("train"), kEnd, options(60));
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->end, train::TrainResult::End::kDone);
  EXPECT_EQ(result->curve.size(), 60U);
  EXPECT_EQ(result->tokens, 60 * 8 * 32);
  EXPECT_NEAR(result->curve[0].loss, std::log(320.0), 0.05 * std::log(320.0));
  EXPECT_LT(result->curve.back().loss, 0.5 * result->curve[0].loss);
}

TEST_F(Training, RepeatsItselfToTheBit) {
  const auto a = model("[Block(mixer=GLA(heads=2)), RMSNorm]"),
             b = model("[Block(mixer=GLA(heads=2)), RMSNorm]");
  const auto first = train::train(*a, split("train"), kEnd, options(5)),
             second = train::train(*b, split("train"), kEnd, options(5));
  EXPECT_EQ(first->curve, second->curve);
  EXPECT_EQ(train::hash_arrays(a->weights()), train::hash_arrays(b->weights()));
  const auto c = model("[Block(mixer=GLA(heads=2)), RMSNorm]", 2);
  EXPECT_NE(train::train(*c, split("train"), kEnd, options(5))->curve, first->curve)
      << "another seed, other weights";
}

TEST_F(Training, TablesHaveTheirOwnLearningRates) {
  // AdamW's first update moves every element by its learning rate, whatever the gradient.
  // Returns the largest change of an element of each parameter.
  const auto moved = [&](const exec::Update& update) {
    const auto m = model();
    const std::vector<exec::NamedArray> before = m->weights();
    const data::Split text = split("train");
    const train::Batches batches(text, kEnd, 8, 32, 1);
    m->step(batches.batch(0), update);
    const std::vector<exec::NamedArray> after = m->weights();
    std::map<std::string, double> out;
    for (std::size_t i = 0; i < before.size(); ++i)
      for (std::size_t k = 0; k < before[i].data.size(); ++k)
        out[before[i].name] = std::max(out[before[i].name],
                                       static_cast<double>(std::abs(after[i].data[k] - before[i].data[k])));
    return out;
  };
  const exec::Update plain{.rate = 1e-3, .decay = 0, .base_fan_in = 32};
  const auto before = moved(plain);
  for (const auto& [table, factor] :  // the table, and the field that is the factor on its learning rate
       {std::pair{"embedding", &exec::Update::input}, {"head", &exec::Update::output}}) {
    exec::Update update = plain;
    update.*factor = 4;
    for (const auto& [name, largest] : moved(update))
      EXPECT_NEAR(largest, before.at(name) * (name == table ? 4 : 1), 0.02 * before.at(name)) << name;
  }
}

TEST_F(Training, BeginsWithTheSameWeightsOnAnyNumberOfThreads) {
  const lang::CheckReport report =
      lang::check("design M:\n    width = 128\n    vocab = 320\n    stack = [Block(mixer=Mamba2), RMSNorm]\n",
                  zoo::library());
  ASSERT_TRUE(report.valid());
  const ir::Graph& graph = report.subjects.at(0).elaboration.graph;
  const auto one = exec::torch::make_model(graph, 1, {.threads = 1}),
             two = exec::torch::make_model(graph, 1, {.threads = 2});
  EXPECT_EQ(train::hash_arrays(one->weights()), train::hash_arrays(two->weights()));
}

TEST_F(Training, ContinuesAfterAStopAsIfThereHadBeenNone) {
  const auto whole = model();
  const auto straight = train::train(*whole, split("train"), kEnd, options(12));
  train::TrainOptions o = options(12);
  o.checkpoint = root / "checkpoint";
  int steps = 0;
  const auto stopped =
      train::train(*model(), split("train"), kEnd, o, [&](const auto&, auto, auto) { return ++steps < 5; });
  ASSERT_TRUE(stopped.has_value());
  EXPECT_EQ(stopped->end, train::TrainResult::End::kStopped);
  const auto resumed = model();
  const auto finished = train::train(*resumed, split("train"), kEnd, o);
  ASSERT_TRUE(finished.has_value()) << finished.error().message;
  EXPECT_EQ(finished->curve, straight->curve);
  EXPECT_EQ(train::hash_arrays(resumed->weights()), train::hash_arrays(whole->weights()));
  o.seed = 9;
  EXPECT_EQ(train::train(*model(), split("train"), kEnd, o).error().code, "checkpoint") << "of another run";
  o.seed = 1;
  EXPECT_EQ(train::train(*model("[Residual, RMSNorm]"), split("train"), kEnd, o).error().code, "checkpoint")
      << "of another design";
  fs::resize_file(o.checkpoint, fs::file_size(o.checkpoint) / 2);
  EXPECT_EQ(train::train(*model(), split("train"), kEnd, o).error().code, "checkpoint") << "cut short";
}

TEST_F(Training, IsNotChangedByScoresAlongTheWay) {
  constexpr std::int64_t kStepTokens = 8 * 32;
  const auto plain = model();
  const auto straight = train::train(*plain, split("train"), kEnd, options(13));
  const auto scored = [&](exec::Model& m, train::TrainOptions o, int stop) {
    o.valid_points = 4;
    o.valid = [&] { return eval::bits_per_byte(m, split("valid"), kEnd, 8, 32).value; };
    int steps = 0;
    return train::train(m, split("train"), kEnd, o, [&](const auto&, auto, auto) { return ++steps != stop; });
  };
  const auto whole = model();
  const auto result = scored(*whole, options(13), 0);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->curve, straight->curve);
  EXPECT_EQ(train::hash_arrays(whole->weights()), train::hash_arrays(plain->weights()));
  ASSERT_EQ(result->valid.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(result->valid[i].tokens, (std::array{4, 7, 10})[i] * kStepTokens)
        << "quarters of 13 steps, rounded up";
  EXPECT_LT(result->valid[2].bits_per_byte, result->valid[0].bits_per_byte);
  // The same points if the run was stopped right after one, or between two.
  for (const int stop : {4, 8}) {
    train::TrainOptions o = options(13);
    o.checkpoint = root / ("scored" + std::to_string(stop));
    const auto first = model(), second = model();
    ASSERT_EQ(scored(*first, o, stop)->end, train::TrainResult::End::kStopped);
    EXPECT_EQ(scored(*second, o, 0)->valid, result->valid) << stop;
    EXPECT_EQ(train::train(*second, split("train"), kEnd, o).error().code, "checkpoint")
        << "a run without scores is another one";
  }
}

TEST_F(Training, AHurdleEndsTheRunAtItsStepWhateverWentBefore) {
  constexpr std::int64_t kStepTokens = 8 * 32;
  const auto whole = train::train(*model(), split("train"), kEnd, options(24));
  const double ninth = train::recent_loss(whole->curve, 9), twelfth = train::recent_loss(whole->curve, 12);
  EXPECT_EQ(ninth, whole->curve[8].loss);
  EXPECT_EQ(twelfth, (whole->curve[10].loss + whole->curve[11].loss) / 2);
  train::TrainOptions o = options(24);
  // The run passes the earlier hurdle.
  o.hurdles = {{.tokens = 11 * kStepTokens + 1, .loss = std::nextafter(twelfth, 0.0)},
               {.tokens = 9 * kStepTokens, .loss = ninth}};
  const auto cut = train::train(*model(), split("train"), kEnd, o);
  ASSERT_TRUE(cut.has_value()) << cut.error().message;
  EXPECT_EQ(cut->end, train::TrainResult::End::kHurdle);
  EXPECT_EQ(cut->tokens, 12 * kStepTokens);
  EXPECT_EQ(cut->curve, std::vector(whole->curve.begin(), whole->curve.begin() + 12));
  EXPECT_NE(cut->cause.find(fmt::format("of 12 steps is {:.4f}, above the hurdle of {:.4f} at 3072 tokens",
                                        twelfth, twelfth)),
            std::string::npos)
      << cut->cause;
  const auto same = [&](const Result<train::TrainResult>& r) {
    return r && r->end == cut->end && r->cause == cut->cause && r->curve == cut->curve &&
           r->text_hash == cut->text_hash && r->tokens == cut->tokens;
  };
  // Stops the run before the hurdle, after it (while the run did not have it yet), and once more after its
  // end.
  for (const int stop : {5, 12, 20}) {
    train::TrainOptions interrupted = o;
    interrupted.checkpoint = root / ("hurdle" + std::to_string(stop));
    if (stop > 11) interrupted.hurdles = {};
    int steps = 0;
    const auto part = train::train(*model(), split("train"), kEnd, interrupted,
                                   [&](const auto&, auto, auto) { return ++steps < stop; });
    ASSERT_EQ(part->end, train::TrainResult::End::kStopped);
    interrupted.hurdles = o.hurdles;
    EXPECT_TRUE(same(train::train(*model(), split("train"), kEnd, interrupted))) << stop;
    EXPECT_TRUE(same(train::train(*model(), split("train"), kEnd, interrupted))) << stop;
  }
  o.hurdles = {{.tokens = 12 * kStepTokens, .loss = twelfth}, {.tokens = 1'000'000, .loss = 0.0}};
  EXPECT_EQ(train::train(*model(), split("train"), kEnd, o)->curve, whole->curve)
      << "met, or behind the budget";
}

TEST_F(Training, ALossThatIsNotFiniteEndsTheRunAsAResult) {
  train::TrainOptions o = options(40);
  o.update.rate = 1e8;
  o.update.clip = 0;
  const auto result = train::train(*model("[Block(norm=Identity), Identity]"), split("train"), kEnd, o);
  ASSERT_TRUE(result.has_value());
  EXPECT_NE(result->end, train::TrainResult::End::kDone);
  EXPECT_FALSE(result->cause.empty());
}

TEST_F(Training, PartsOfABatchGiveTheGradientOfTheWhole) {
  const lang::CheckReport report = lang::check(
      "design M:\n    width = 32\n    vocab = 320\n    stack = [Block, RMSNorm]\n", zoo::library());
  const auto& graph = report.subjects.at(0).elaboration.graph;
  const auto whole = exec::torch::make_model(graph, 1, {.threads = 1}),
             parts = exec::torch::make_model(graph, 1, {.threads = 1, .rows = 3});
  const data::Split text = split("train");
  const train::Batches batches(text, kEnd, 8, 32, 1);
  const auto a = whole->step(batches.batch(0), {}), b = parts->step(batches.batch(0), {});
  EXPECT_NEAR(a.loss, b.loss, 1e-5);
  EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-4 * a.gradient_norm);
}

// Scores a recurrence after training. The forward graph is not the one that training extended.
TEST_F(Training, ScoresRecurrences) {
  const auto m = model("[Block(mixer=GLA(heads=2)), RMSNorm]");
  ASSERT_TRUE(train::train(*m, split("train"), kEnd, options(20)).has_value());
  const eval::BitsPerByte bits = eval::bits_per_byte(*m, split("valid"), kEnd, 4, 16);
  EXPECT_TRUE(std::isfinite(bits.value));
  EXPECT_LT(bits.nats_per_token, std::log(320.0));
}

// Computes the same number from single windows, document by document.
TEST_F(Training, BitsPerByteCountEveryTokenOnce) {
  const auto m = model();
  const data::Split text = split("valid");
  const eval::BitsPerByte bits = eval::bits_per_byte(*m, text, kEnd, 4, 16);
  double nats = 0, bytes = 0, bits_so_far = 0;
  std::uint64_t tokens = 0;
  ASSERT_EQ(bits.each.size(), text.documents());
  for (std::size_t d = 0; d < text.documents(); ++d) {
    const data::Document document = text.document(d);
    std::vector<std::int64_t> ids{kEnd};
    text.append(document, ids);
    for (std::size_t from = 0; from + 1 < ids.size(); from += 16) {
      const std::size_t count = std::min<std::size_t>(16, ids.size() - 1 - from);
      exec::TokenBatch batch{.sequences = 1, .length = static_cast<std::int64_t>(count)};
      batch.tokens.assign(ids.begin() + static_cast<std::ptrdiff_t>(from),
                          ids.begin() + static_cast<std::ptrdiff_t>(from + count));
      batch.targets.assign(ids.begin() + static_cast<std::ptrdiff_t>(from) + 1,
                           ids.begin() + static_cast<std::ptrdiff_t>(from + count) + 1);
      for (const float v : m->losses(batch)) nats += v;
      tokens += count;
    }
    bytes += static_cast<double>(document.bytes);
    EXPECT_EQ(bits.each[d].bytes, document.bytes);
    bits_so_far += bits.each[d].bits;
    EXPECT_NEAR(bits_so_far, nats / std::log(2.0), 1e-5 * nats) << "document " << d;
  }
  EXPECT_EQ(bits.tokens, tokens);
  EXPECT_EQ(bits.tokens, text.tokens());
  EXPECT_EQ(bits.documents, text.documents());
  EXPECT_NEAR(bits.value, nats / std::log(2.0) / bytes, 1e-5);
  EXPECT_LT(bits.low, bits.value);
  EXPECT_GT(bits.high, bits.value);
}

}  // namespace
}  // namespace gabbro
