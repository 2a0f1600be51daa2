// Tests of benchmark scores with models whose losses are known, against plain loops over tokens.
#include "eval/benchmark.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/hash.h"
#include "base/random.h"

namespace gabbro::eval {
namespace {

using Tokens = std::vector<std::int64_t>;

// The score of a target: its loss, and whether no token is more likely.
struct TokenScore {
  double loss = 0;
  bool greedy = false;
};

// Returns the score of a target after the tokens [from, to), which is drawn from a hash of them.
TokenScore token_score(const Tokens& tokens, std::size_t from, std::size_t to, std::int64_t target) {
  std::uint64_t hash = static_cast<std::uint64_t>(target);
  for (std::size_t i = from; i < to; ++i) hash = mix(hash, static_cast<std::uint64_t>(tokens[i]));
  return {static_cast<double>(hash % 1024) / 128, hash % 32 != 0};
}

// A model that remembers this many tokens of a document; with 0 it gives every token loss 0.
class KnownModel : public exec::Model {
 public:
  explicit KnownModel(std::size_t memory) : memory_(memory) {}
  exec::StepReport step(const exec::TokenBatch&, const exec::Update&) override { return {}; }
  [[nodiscard]] std::vector<exec::NamedArray> weights() const override { return {}; }
  [[nodiscard]] std::vector<exec::NamedArray> moments() const override { return {}; }
  bool restore(const std::vector<exec::NamedArray>&) override { return true; }
  std::vector<float> losses(const exec::TokenBatch& batch) override { return score(batch).losses; }
  exec::Scores score(const exec::TokenBatch& batch) override {
    exec::Scores out;
    for (std::size_t i = 0; i < batch.tokens.size(); ++i) {
      const std::size_t row = i - i % static_cast<std::size_t>(batch.length);
      const std::size_t start = row + static_cast<std::size_t>(batch.starts.empty() ? 0 : batch.starts[i]);
      const std::size_t from = std::max(start, i + 1 - std::min(i + 1, memory_));
      const TokenScore k =
          memory_ == 0 ? TokenScore{} : token_score(batch.tokens, from, i + 1, batch.targets[i]);
      out.losses.push_back(static_cast<float>(k.loss));
      out.greedy.push_back(k.greedy);
    }
    return out;
  }

 private:
  std::size_t memory_;
};

class Benchmarks : public ::testing::Test {
 protected:
  static const data::Tokenizer& tokenizer() {
    static const data::Tokenizer out = [] {
      std::vector<std::string> sample;
      for (int i = 0; i < 300; ++i)
        sample.push_back("the river runs by the old stone bridge " + std::to_string(i));
      return *data::Tokenizer::train(sample, 320);
    }();
    return out;
  }
  static Tokens encode(const std::string& text) {
    std::vector<int> ids;
    tokenizer().encode(text, ids);
    return {ids.begin(), ids.end()};
  }
  static std::string text(Random& random, std::int64_t words) {
    static const std::vector<std::string> kWords{" the", " river", " runs", " by",
                                                 " old", " stone", " x",    " é"};
    std::string out;
    while (words-- > 0) out += random.pick(kWords);
    return out;
  }

  // The likelihood of the last `scored` tokens, each after at most `memory` tokens before it.
  static Likelihood plain(const Tokens& tokens, std::size_t scored, std::size_t memory) {
    Likelihood out;
    for (std::size_t i = tokens.size() - scored; i < tokens.size(); ++i) {
      const TokenScore k = token_score(tokens, i - std::min(i, memory), i, tokens[i]);
      out.nats -= static_cast<float>(k.loss);
      out.greedy = out.greedy && k.greedy;
    }
    return out;
  }
  static void expect_equal(const std::vector<LikelihoodRequest>& requests, std::size_t memory,
                           const std::vector<Likelihood>& expected) {
    KnownModel model(memory);
    for (const Packing& packing :
         {Packing{.tokens = 1, .row = 1}, Packing{.tokens = 200, .row = 40}, Packing{}}) {
      const std::vector<Likelihood> got = likelihoods(model, requests, true, packing);
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_NEAR(got[i].nats, expected[i].nats, 1e-9) << i;
        EXPECT_EQ(got[i].greedy, expected[i].greedy) << i;
      }
    }
  }

  static AnswerChoice choice(const std::string& context, const std::string& continuation) {
    return {context, continuation, static_cast<double>(continuation.size()) - 1};
  }
  static record::TaskScore score(const BenchmarkTask& task, std::size_t memory, std::int64_t length = 64) {
    KnownModel model(memory);
    const auto out = score_task(model, tokenizer(), task, length);
    EXPECT_TRUE(out.has_value()) << out.error().message;
    return *out;
  }
  // Returns a metric of the whole task, or NaN if it is not reported.
  static record::Metric metric(const record::TaskScore& score, const std::string& name) {
    for (const record::Metric& m : score.metrics)
      if (m.name == name && m.group.empty()) return m;
    return {name, "", NAN, NAN, 0};
  }
};

// ---- Windows ----

// Whatever the lengths, every token of the continuation is predicted once, from the tokens before it.
TEST_F(Benchmarks, LikelihoodsAreThoseOfAPlainLoop) {
  Random random(1);
  std::size_t several = 0, greedy = 0, cut = 0, exact = 0;
  for (const std::int64_t length : {1, 2, 3, 7, 16, 33}) {
    // Tokens before a target that a window of a long continuation holds at least, and more than any text has.
    const auto half = static_cast<std::size_t>(length / 2 + 1), whole = std::size_t{1000};
    std::vector<LikelihoodRequest> all, shorts, longs;
    std::vector<Likelihood> by_last, by_all, by_half;
    for (int i = 0; i < 120; ++i) {
      const std::string context = text(random, random.below(20)), more = text(random, 1 + random.below(30));
      const Tokens own = encode(more);
      Tokens tokens = encode(context + more);
      tokens.insert(tokens.begin(), tokenizer().end());
      const LikelihoodRequest request = *make_request(tokenizer(), context, more, length);
      Tokens scored;
      for (const LikelihoodWindow& w : request.windows) {
        EXPECT_LE(w.tokens.size(), static_cast<std::size_t>(length) + 1);
        EXPECT_LT(w.scored, static_cast<std::int64_t>(w.tokens.size()));
        scored.insert(scored.end(), w.tokens.end() - w.scored, w.tokens.end());
      }
      EXPECT_EQ(scored, own);
      all.push_back(request);
      by_last.push_back(plain(tokens, own.size(), 1));
      const bool fits = static_cast<std::int64_t>(tokens.size()) <= length + 1;
      exact += static_cast<std::int64_t>(tokens.size()) == length + 1 ? 1 : 0;
      if (fits) {
        EXPECT_FALSE(request.truncated);
      }
      if (static_cast<std::int64_t>(own.size()) <= length) {
        EXPECT_EQ(request.windows.size(), 1U);
        EXPECT_EQ(request.truncated, !fits);
        const Tokens last(tokens.end() - std::min<std::ptrdiff_t>(std::ssize(tokens), length + 1),
                          tokens.end());
        shorts.push_back(request);
        by_all.push_back(plain(last, own.size(), whole));
        cut += request.truncated ? 1 : 0;
      } else {
        EXPECT_GT(request.windows.size(), 1U);
        EXPECT_EQ(request.truncated, tokens.size() - own.size() > half);
        longs.push_back(request);
        by_half.push_back(plain(tokens, own.size(), half));
        several += 1;
        greedy += by_half.back().greedy ? 1 : 0;
      }
    }
    expect_equal(all, 1, by_last);
    expect_equal(shorts, whole, by_all);
    expect_equal(longs, half, by_half);
  }
  EXPECT_GT(cut, 20U);
  EXPECT_GT(exact, 3U);
  EXPECT_GT(several, 100U);
  EXPECT_GT(greedy, 10U);
  EXPECT_LT(greedy, several - 10);
}

// A token that reaches over the border is read as it is in the whole text, and no character is scored twice
// or not at all.
TEST_F(Benchmarks, TokensOverTheBorderAreThoseOfTheWholeText) {
  const Tokens before = encode("the old sto"), both = encode("the old stone bridge");
  ASSERT_NE(Tokens(both.begin(), both.begin() + std::min(std::ssize(both), std::ssize(before))), before);
  const auto request = make_request(tokenizer(), "the old sto", "ne bridge", 100);
  ASSERT_TRUE(request.has_value()) << request.error().message;
  const LikelihoodRequest& r = *request;
  ASSERT_EQ(r.windows.size(), 1U);
  EXPECT_EQ(Tokens(r.windows[0].tokens.begin() + 1, r.windows[0].tokens.end()), both);
  const auto shared = std::mismatch(both.begin(), both.end(), before.begin(), before.end()).first;
  EXPECT_EQ(r.windows[0].scored, both.end() - shared);
}

TEST_F(Benchmarks, AContextOfWhiteSpaceBelongsToTheAnswer) {
  const LikelihoodRequest r = *make_request(tokenizer(), " \n", " bridge", 100);
  EXPECT_EQ(r.windows.at(0).scored, std::ssize(encode(" \n bridge")));
  EXPECT_EQ(make_request(tokenizer(), "", "", 100).error().code, "eval");
  EXPECT_EQ(make_request(tokenizer(), " stone", "", 1).error().code, "eval");
}

// Answers that differ in their beginning alone do not tie where the model reads less than an answer, and
// acc_norm divides the likelihood of all characters by their number.
TEST_F(Benchmarks, LongAnswersAreScoredAsAWhole) {
  BenchmarkTask task{.name = "set", .kind = TaskKind::kChoice, .items = {}, .counts = {}};
  Random random(2);
  double right = 0, by_length = 0, gold = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string end = text(random, 20);
    const std::vector<std::string> answers{" river" + end, " bridge by" + end};
    task.items.push_back({{choice("the", answers[0]), choice("the", answers[1])}, i % 2, {}});
    std::vector<double> nats, normed;
    for (const std::string& a : answers) {
      Tokens tokens = encode("the" + a);
      nats.push_back(plain(tokens, encode(a).size(), 1).nats);
      normed.push_back(nats.back() / (static_cast<double>(a.size()) - 1));
    }
    right += (nats[0] > nats[1] ? 0 : 1) == i % 2 ? 1 : 0;
    by_length += (normed[0] > normed[1] ? 0 : 1) == i % 2 ? 1 : 0;
    gold += nats[static_cast<std::size_t>(i % 2)];
  }
  for (const std::int64_t length : {4, 9, 200}) {
    const record::TaskScore s = score(task, 1, length);
    EXPECT_DOUBLE_EQ(metric(s, "acc").value, right / 40) << length;
    EXPECT_DOUBLE_EQ(metric(s, "acc_norm").value, by_length / 40) << length;
    EXPECT_NEAR(metric(s, "gold_nats").value, gold / 40, 1e-9) << length;
    EXPECT_TRUE(std::isnan(metric(s, "ties").value)) << length;
    EXPECT_EQ(s.windowed, length < 10 ? 80U : 0U) << length;
    EXPECT_EQ(s.truncated, 0U) << length;
  }
}

// A greedy answer is greedy in all of its windows, also in the first one.
TEST_F(Benchmarks, WordsAreGreedyInEveryWindow) {
  Random random(3);
  BenchmarkTask task{.name = "set", .kind = TaskKind::kWord, .items = {}, .counts = {}};
  double greedy = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string context = text(random, 3), more = text(random, 12);
    task.items.push_back({{choice(context, more)}, 0, {}});
    greedy += plain(encode(context + more), encode(more).size(), 1).greedy ? 1 : 0;
  }
  ASSERT_GT(greedy, 5);
  ASSERT_LT(greedy, 55);
  const record::TaskScore s = score(task, 1, 5);
  EXPECT_DOUBLE_EQ(metric(s, "acc").value, greedy / 60);
  EXPECT_EQ(s.windowed, 60U);
}

// ---- Ties ----

// A model that gives every text the same score has guessed: no metric is better or worse for it.
TEST_F(Benchmarks, ConstantScoresCountAsGuesses) {
  const auto make = [&](TaskKind kind, int choices, const std::vector<int>& gold, bool mcc, bool f1) {
    BenchmarkTask task{.name = "set", .kind = kind, .items = {}, .counts = {}, .correlation = mcc, .f1 = f1};
    for (const int g : gold) {
      task.items.push_back({{}, g, {"uid: u"}, task.items.size()});
      for (int c = 0; c < choices; ++c)
        task.items.back().choices.push_back(choice("the", " x" + std::to_string(c)));
    }
    return score(task, 0);
  };
  const std::vector<int> two{0, 1, 1, 1, 0, 1, 1, 1}, three{0, 1, 2, 2, 2, 1};
  for (const TaskKind kind : {TaskKind::kPairs, TaskKind::kChoice, TaskKind::kContext, TaskKind::kLabel}) {
    const record::TaskScore a = make(kind, 2, two, /*mcc=*/true, /*f1=*/true),
                            b = make(kind, 3, three, /*mcc=*/false, /*f1=*/true);
    EXPECT_DOUBLE_EQ(metric(a, "acc").value, 0.5) << a.kind;
    EXPECT_DOUBLE_EQ(metric(b, "acc").value, 1.0 / 3) << a.kind;
    EXPECT_EQ(metric(a, "ties").value, 1) << a.kind;
    if (kind == TaskKind::kChoice) {
      EXPECT_DOUBLE_EQ(metric(a, "acc_norm").value, 0.5);
    }
    if (kind != TaskKind::kLabel) continue;
    EXPECT_EQ(metric(a, "mcc").value, 0);
    EXPECT_EQ(metric(a, "mcc").error, 0);
    // A guess finds half of the 6 items of label 1 and says label 1 of half of all 8.
    EXPECT_DOUBLE_EQ(metric(a, "f1").value, 2 * 3.0 / (6 + 4));
    EXPECT_GT(metric(a, "f1").error, 0.01);
    EXPECT_DOUBLE_EQ(metric(b, "f1").value,
                     (2 * (1 / 3.0) / (1 + 2) + 2 * (2 / 3.0) / (2 + 2) + 2 * 1.0 / (3 + 2)) / 3);
    EXPECT_TRUE(std::isfinite(metric(b, "f1").error));
  }
  const record::TaskScore word = make(TaskKind::kWord, 1, {0, 0, 0}, /*mcc=*/false, /*f1=*/false);
  EXPECT_EQ(metric(word, "perplexity").value, 1);
  EXPECT_TRUE(std::isnan(metric(word, "ties").value));
}

}  // namespace
}  // namespace gabbro::eval
