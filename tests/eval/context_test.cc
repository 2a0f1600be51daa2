// Tests of the gain of context, with models whose losses are known.
#include "eval/context.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <sstream>

#include "data/made_corpus.h"

namespace gabbro::eval {
namespace {

namespace fs = std::filesystem;

// A model whose loss at a position is `loss_of` the number of tokens that the position sees, including its
// own.
class KnownModel : public exec::Model {
 public:
  explicit KnownModel(double (*loss_of)(std::int64_t)) : loss_of_(loss_of) {}
  exec::StepReport step(const exec::TokenBatch&, const exec::Update&) override { return {}; }
  exec::Scores score(const exec::TokenBatch&) override { return {}; }
  [[nodiscard]] std::vector<exec::NamedArray> weights() const override { return {}; }
  [[nodiscard]] std::vector<exec::NamedArray> moments() const override { return {}; }
  bool restore(const std::vector<exec::NamedArray>&) override { return true; }
  std::vector<float> losses(const exec::TokenBatch& batch) override {
    std::vector<float> out;
    for (std::size_t i = 0; i < batch.tokens.size(); ++i) {
      const std::int64_t t = static_cast<std::int64_t>(i) % batch.length, seen = t - batch.starts[i] + 1;
      EXPECT_GE(seen, 1);
      // Every document in a row is a piece of text: each token is the target of the one before it.
      if (seen > 1 && batch.tokens[i - 1] != 0) {
        EXPECT_EQ(batch.targets[i - 1], batch.tokens[i]);
      }
      out.push_back(static_cast<float>(loss_of_(seen)));
    }
    return out;
  }

 private:
  double (*loss_of_)(std::int64_t);
};

class Context : public ::testing::Test {
 protected:
  static constexpr std::int64_t kEnd = 2;
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_context" + std::to_string(getpid()));
    std::ostringstream text;
    for (int d = 0; d < 12; ++d) {
      for (int i = 0; i < 150 + 40 * d; ++i) text << "word" << (i * i + d) % 97 << (i % 9 == 8 ? ".\n" : " ");
      text << "\n<|endoftext|>\n";
    }
    testing::make_corpus(root, text.str(), 280, 0.5);
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  static std::vector<ContextGain> gains(double (*loss_of)(std::int64_t), std::int64_t length,
                                        std::int64_t sequences = 4, std::int64_t most = 1000) {
    const data::Split split = std::move(*data::Corpus::open(root / "corpus")->split("valid"));
    KnownModel model(loss_of);
    return context_gains(model, split, kEnd, sequences, length, 0, most);
  }
  // Returns a loss of one nat per token in bits per byte.
  static double bits_per_nat() {
    const data::Split split = std::move(*data::Corpus::open(root / "corpus")->split("valid"));
    double tokens = 0, bytes = 0;
    for (std::size_t d = 0; d < split.documents(); ++d) {
      tokens += static_cast<double>(split.document(d).end - split.document(d).begin);
      bytes += static_cast<double>(split.document(d).bytes);
    }
    return tokens / bytes / std::log(2.0);
  }

  static fs::path root;
};
fs::path Context::root;

TEST_F(Context, IsZeroForAModelThatSeesAFewTokens) {
  const auto g = gains([](std::int64_t seen) { return seen >= 6 ? 1.5 : 4.0; }, 64);
  ASSERT_EQ(g.size(), 2U);
  for (const ContextGain& c : g) {
    EXPECT_EQ(c.gain, 0);
    EXPECT_EQ(c.error, 0);
    EXPECT_GT(c.positions, 100);
  }
}

TEST_F(Context, IsWhatTheTokensFartherAwayAreWorth) {
  // This model needs 20 tokens. It loses one nat with a context of 8, and nothing with 32.
  const auto g = gains([](std::int64_t seen) { return seen >= 20 ? 1.0 : 2.0; }, 64);
  ASSERT_EQ(g.size(), 2U);
  EXPECT_EQ(g[0].tokens, 8);
  EXPECT_NEAR(g[0].gain, bits_per_nat(), 1e-6);
  EXPECT_EQ(g[1].tokens, 32);
  EXPECT_EQ(g[1].gain, 0);
}

TEST_F(Context, ComparesAtLeastThreeQuartersOfTheShortContext) {
  // A model that needs 7 tokens has them at every compared position in a context of 8. A model that needs 8
  // has them at every second one.
  EXPECT_EQ(gains([](std::int64_t seen) { return seen >= 7 ? 1.0 : 2.0; }, 64)[0].gain, 0);
  EXPECT_NEAR(gains([](std::int64_t seen) { return seen >= 8 ? 1.0 : 2.0; }, 64)[0].gain, bits_per_nat() / 2,
              1e-6);
}

TEST_F(Context, DoesNotDependOnHowManyRowsAreRunTogether) {
  const auto loss_of = [](std::int64_t seen) { return 1 / std::sqrt(static_cast<double>(seen)); };
  const auto one = gains(loss_of, 64, 1), many = gains(loss_of, 64, 7);
  ASSERT_EQ(one.size(), many.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_NEAR(one[i].gain, many[i].gain, 1e-9);
    EXPECT_EQ(one[i].positions, many[i].positions);
  }
  EXPECT_GT(one[0].gain, one[1].gain);
}

TEST_F(Context, LooksAtAsManyWindowsAsItMay) {
  const auto loss_of = [](std::int64_t) { return 1.0; };
  EXPECT_EQ(gains(loss_of, 64, 4, 3)[0].positions, 3 * 32);
  EXPECT_TRUE(gains(loss_of, 64, 4, 0).empty());
}

TEST_F(Context, LeavesOutWhatIsTooShort) {
  const auto loss_of = [](std::int64_t) { return 1.0; };
  EXPECT_EQ(gains(loss_of, 32).size(), 1U)
      << "32 tokens are more than stand before the first position compared";
  EXPECT_TRUE(gains(loss_of, 8).empty());
  EXPECT_TRUE(gains(loss_of, 1 << 20).empty()) << "no document has a whole window";
}

}  // namespace
}  // namespace gabbro::eval
