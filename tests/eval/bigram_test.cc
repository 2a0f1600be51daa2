#include "eval/bigram.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gabbro::eval {
namespace {

TEST(Bigram, MixesPairsWithSingleTokens) {
  Bigram bigram(4, /*strength=*/2);
  bigram.add({.sequences = 1, .length = 3, .tokens = {0, 1, 0}, .targets = {1, 0, 1}});
  // 0 is followed by 1 twice. Of three tokens predicted, two are 1; the vocabulary has four.
  const double one = (2 + 1) / (3 + 4.0);
  EXPECT_NEAR(bigram.loss(0, 1), -std::log((2 + 2 * one) / (2 + 2)), 1e-12);
  EXPECT_NEAR(bigram.loss(3, 1), -std::log(one), 1e-12) << "a token that was never seen says nothing";
  double sum = 0;
  for (int next = 0; next < 4; ++next) sum += std::exp(-bigram.loss(1, next));
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(Bigram, LeavesOutPositionsWithoutATarget) {
  Bigram with(4), without(4);
  with.add({.sequences = 1, .length = 2, .tokens = {0, 3}, .targets = {1, exec::kNotScored}});
  without.add({.sequences = 1, .length = 1, .tokens = {0}, .targets = {1}});
  for (int token = 0; token < 4; ++token)
    for (int next = 0; next < 4; ++next) EXPECT_DOUBLE_EQ(with.loss(token, next), without.loss(token, next));
}

}  // namespace
}  // namespace gabbro::eval
