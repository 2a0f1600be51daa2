// Checks that every task has an exact solver, and that the last few tokens do not give its answers away.
#include "capability/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <string>

namespace gabbro::capability {
namespace {

using exec::kNotScored;
using Tokens = std::vector<std::int64_t>;

// Returns the answer at the last position of `seen`, or kUnknown if it does not follow from these tokens.
using Solver = std::function<std::int64_t(const Tokens& seen)>;
constexpr std::int64_t kUnknown = -2;
// Stands for a token that the solver does not see. Hidden tokens come before all others.
constexpr std::int64_t kHidden = -3;

// Returns the token that followed an earlier occurrence of the last token.
std::int64_t by_lookup(const Tokens& seen) {
  for (std::size_t i = 0; i + 2 < seen.size(); ++i)
    if (seen[i] == seen.back()) return seen[i + 1];
  return kUnknown;
}

// Returns the n-th token whose id is above `marker`, where n is the number of markers in `seen`.
std::int64_t by_order(const Tokens& seen, std::int64_t marker) {
  const std::int64_t number = std::count(seen.begin(), seen.end(), marker);
  std::int64_t passed = 0;
  for (const std::int64_t token : seen) {
    if (token == kHidden) return kUnknown;
    if (token > marker && ++passed == number) return token;
  }
  return kUnknown;
}

using Permutation = std::array<std::int64_t, 3>;

// Returns the product of the tokens, which number the permutations of three elements in lexicographic order.
// The last factor acts last.
std::int64_t by_product(const Tokens& seen) {
  std::vector<Permutation> all;
  Permutation p{0, 1, 2};
  do all.push_back(p);
  while (std::next_permutation(p.begin(), p.end()));
  Permutation product{0, 1, 2};
  for (const std::int64_t token : seen) {
    if (token == kHidden) return kUnknown;
    Permutation next{};
    for (std::size_t i = 0; i < 3; ++i) next[i] = all[token][product[i]];
    product = next;
  }
  return std::find(all.begin(), all.end(), product) - all.begin();
}

// Returns the cup under which the ball lies. The first token is its initial cup. Tokens from 5 on swap two of
// the five cups: (0, 1), (0, 2) ... (3, 4).
std::int64_t by_swaps(const Tokens& seen) {
  if (seen[0] == kHidden) return kUnknown;
  std::array<bool, 5> ball{};
  ball[seen[0]] = true;
  for (std::size_t t = 1; t < seen.size(); ++t) {
    std::int64_t number = 5;
    for (std::size_t a = 0; a < 5; ++a)
      for (std::size_t b = a + 1; b < 5; ++b, ++number)
        if (number == seen[t]) std::swap(ball[a], ball[b]);
  }
  return std::find(ball.begin(), ball.end(), true) - ball.begin();
}

std::int64_t by_parity(const Tokens& seen) {
  if (seen[0] == kHidden) return kUnknown;
  return std::accumulate(seen.begin(), seen.end(), std::int64_t{0}) % 2;
}

// The value of a key is the same in all sequences, but no sequence contains it. The solver takes it from the
// targets of 400 training sequences, which ask for every key.
Solver by_memory(const Task& task) {
  std::map<std::int64_t, std::int64_t> facts;
  const exec::TokenBatch many = batch(task, Use::kTraining, 400, task.length, Random(99));
  for (std::size_t i = 1; i < many.tokens.size(); ++i)
    if (many.targets[i] != kNotScored) facts[many.tokens[i - 1]] = many.targets[i];
  return [facts](const Tokens& seen) {
    const auto at = facts.find(seen[seen.size() - 2]);
    return at == facts.end() ? kUnknown : at->second;
  };
}

Solver solver_of(const Task& task) {
  const std::string name = task.name;
  if (name == "recall" || name == "noisy" || name == "induction") return by_lookup;
  if (name == "selective") return [](const Tokens& seen) { return by_order(seen, /*marker=*/1); };
  if (name == "compression") return [](const Tokens& seen) { return by_order(seen, /*marker=*/0); };
  if (name == "memorisation") return by_memory(task);
  if (name == "parity") return by_parity;
  if (name == "s3") return by_product;
  if (name == "s5") return by_swaps;
  ADD_FAILURE() << "no solver for " << name;
  return [](const Tokens&) { return kUnknown; };
}

// Calls `call` for each question with the tokens up to its position and the correct answer. All but the last
// `window` tokens are replaced by kHidden.
void for_questions(const exec::TokenBatch& b, std::int64_t window,
                   const std::function<void(const Tokens&, std::int64_t)>& call) {
  for (std::int64_t row = 0; row < b.sequences; ++row)
    for (std::int64_t t = 0; t < b.length; ++t) {
      const std::int64_t target = b.targets[row * b.length + t];
      if (target == kNotScored) continue;
      const auto begin = b.tokens.begin() + row * b.length;
      Tokens seen(begin, begin + t + 1);
      for (std::int64_t i = 0; i <= t - window; ++i) seen[i] = kHidden;
      call(seen, target);
    }
}

TEST(Tasks, EveryQuestionHasItsAnswerInWhatWasSeen) {
  for (const Task& task : tasks())
    for (const Use use : {Use::kTraining, Use::kTest})
      for (const std::int64_t length : task.lengths) {
        SCOPED_TRACE(std::string(task.name) + " at " + std::to_string(length));
        const Solver solve = solver_of(task);
        std::int64_t asked = 0;
        for_questions(batch(task, use, 40, length, Random(3)), length,
                      [&](const Tokens& seen, std::int64_t answer) {
                        ++asked;
                        ASSERT_EQ(solve(seen), answer);
                      });
        EXPECT_GE(asked, 40);
      }
}

// A design that only sees the last kNear tokens cannot answer the questions of test sequences. Questions of
// training sequences can be easier: recall also asks for recent keys, and parity, S3 and S5 ask among the
// first tokens. A fact of "memorisation" follows from its key alone, which is the previous token.
TEST(Tasks, TheAnswerIsNotAmongTheNearTokens) {
  for (const Task& task : tasks()) {
    if (std::string(task.name) == "memorisation") continue;
    SCOPED_TRACE(task.name);
    const Solver solve = solver_of(task);
    for (const std::int64_t length : task.lengths)
      for_questions(batch(task, Use::kTest, 40, length, Random(4)), kNear,
                    [&](const Tokens& seen, std::int64_t) { ASSERT_EQ(solve(seen), kUnknown); });
  }
}

// The most frequent answer is counted on 1,500 sequences: overall, after each last token, and after each pair
// of last tokens. On 1,500 other sequences it is right as often as a guess. In "memorisation" the pair
// contains the key, which gives the answer.
TEST(Tasks, NeighboursDoNotGiveTheAnswerAway) {
  for (const Task& task : tasks())
    for (const std::size_t order : {0, 1, 2}) {
      if (order == 2 && std::string(task.name) == "memorisation") continue;
      SCOPED_TRACE(std::string(task.name) + " by " + std::to_string(order));
      std::map<Tokens, std::map<std::int64_t, int>> counts;
      const auto context = [&](const Tokens& seen) { return Tokens(seen.end() - order, seen.end()); };
      const std::int64_t length = task.length;
      for_questions(batch(task, Use::kTest, 1500, length, Random(5)), length,
                    [&](const Tokens& seen, std::int64_t answer) { ++counts[context(seen)][answer]; });
      double right = 0, asked = 0;
      for_questions(batch(task, Use::kTest, 1500, length, Random(6)), length,
                    [&](const Tokens& seen, std::int64_t answer) {
                      ++asked;
                      const auto& known = counts[context(seen)];
                      const auto best = std::max_element(
                          known.begin(), known.end(), [](auto& a, auto& b) { return a.second < b.second; });
                      right += best != known.end() && best->first == answer;
                    });
      // Answers within a sequence may be correlated, so the standard error counts sequences, not questions.
      const double error = std::sqrt(task.chance * (1 - task.chance) / 1500);
      EXPECT_NEAR(right / asked, task.chance, 4 * error);
    }
}

TEST(Tasks, SequencesDependOnTheRandomStreamAlone) {
  for (const Task& task : tasks()) {
    SCOPED_TRACE(task.name);
    const exec::TokenBatch a = batch(task, Use::kTraining, 3, task.length, Random(7)),
                           b = batch(task, Use::kTraining, 5, task.length, Random(7)),
                           c = batch(task, Use::kTraining, 3, task.length, Random(8));
    EXPECT_TRUE(std::equal(a.tokens.begin(), a.tokens.end(), b.tokens.begin()));
    EXPECT_TRUE(std::equal(a.targets.begin(), a.targets.end(), b.targets.begin()));
    EXPECT_NE(a.tokens, c.tokens);
    const auto middle = a.tokens.begin() + a.length;
    EXPECT_FALSE(std::equal(a.tokens.begin(), middle, middle)) << "two rows are the same";
    EXPECT_EQ(a.starts, Tokens(a.tokens.size(), 0)) << "a row is more than one document";
  }
}

TEST(Tasks, TokensAndAnswersAreInTheVocabulary) {
  for (const Task& task : tasks()) {
    SCOPED_TRACE(task.name);
    std::set<std::int64_t> seen, answers;
    for (const std::int64_t length : task.lengths) {
      EXPECT_EQ(length % task.length, 0);
      const exec::TokenBatch b = batch(task, Use::kTraining, 200, length, Random(9));
      seen.insert(b.tokens.begin(), b.tokens.end());
      answers.insert(b.targets.begin(), b.targets.end());
    }
    EXPECT_GE(*seen.begin(), 0);
    EXPECT_LT(*seen.rbegin(), task.vocab);
    EXPECT_GE(*answers.begin(), kNotScored);
    EXPECT_LT(*answers.rbegin(), task.vocab);
    answers.erase(kNotScored);
    EXPECT_NEAR(static_cast<double>(answers.size()), 1 / task.chance, 1e-9) << "chance is not 1 / answers";
    seen.insert(answers.begin(), answers.end());
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), task.vocab) << "some tokens never occur";
  }
}

TEST(Tasks, LongTestSequencesAskOnlyBeyondTheTrainingLength) {
  for (const char* name : {"parity", "s3", "s5"}) {
    const Task* task = find_task(name);
    ASSERT_NE(task, nullptr);
    const std::int64_t length = task->lengths.back();
    ASSERT_GT(length, task->length);
    const exec::TokenBatch b = batch(*task, Use::kTest, 2, length, Random(1));
    for (std::int64_t t = 0; t < length; ++t) EXPECT_EQ(b.targets[t] != kNotScored, t >= task->length) << t;
  }
}

TEST(Tasks, AreFoundByName) {
  std::set<std::string> names;
  for (const Task& task : tasks()) {
    EXPECT_EQ(find_task(task.name), &task);
    EXPECT_NE(std::string(task.source).find("arXiv "), std::string::npos) << task.name;
    EXPECT_EQ(task.lengths.front(), task.length);
    names.insert(task.name);
  }
  EXPECT_EQ(names.size(), tasks().size());
  EXPECT_EQ(find_task("recal"), nullptr);
}

}  // namespace
}  // namespace gabbro::capability
