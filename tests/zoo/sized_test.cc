// Tests designs at the size of a run: if the search process finds a size, a worker can elaborate it.
#include "zoo/sized.h"

#include <gtest/gtest.h>

namespace gabbro::zoo {
namespace {

constexpr const char* kMixer =
    "unit M(x: [t, D], heads: int in {1 .. 64} = 4) -> [t, D]:\n"
    "    axis h = heads, k = D / heads\n"
    "    q = linear(x, [h, k])\n"
    "    score = dot(q, past(linear(x, [h, k])), over=k) * k ** -0.5\n"
    "    return linear(sum(softmax(score, over=s) * past(linear(x, [h, k])), over=s), D)\n\n";

// Alone at D = 256, the unit elaborates with its factor as written, but not with another factor.
TEST(SizedDesign, UnitsAloneAreCheckedAsTheyAreWritten) {
  const std::string program =
      "unit Wave(x: [t, D], heads: int in {64} = 64) -> [t, D]:\n"
      "    axis h = heads, k = D / heads\n"
      "    a = sigmoid(linear(x, [h, k]))\n"
      "    return linear(cumsum(linear(x, [h, k]) * a) / (1 + position()), D)\n\n"
      "unit Wide(x: [t, D], mult: free real in {0.25 .. 8} = 3) -> [t, D]:\n"
      "    axis f = floor(D * mult), g = 3 if D > 200 else 1\n"
      "    axis k = floor(D * mult) / 3 if D > 200 else floor(D * mult)\n"
      "    y = split(linear(x, f), f, [g, k])\n"
      "    return linear(y * sigmoid(y), D)\n\n"
      "design A:\n"
      "    width = 256\n"
      "    vocab = 4096\n"
      "    stack = [2 * Block(mixer=Wave, mlp=Wide), RMSNorm]\n";
  for (const std::int64_t params : {300'000, 600'000, 1'000'000}) {
    const auto sized = sized_design(program, params, 512);
    EXPECT_TRUE(sized) << params << ": " << sized.error().message;
  }
}

// The sizes of an earlier design need not divide at the width of the last one.
TEST(SizedDesign, TheLastDesignAloneIsTrained) {
  const std::string program = std::string(kMixer) +
                              "design First:\n"
                              "    width = 63\n"
                              "    vocab = 512\n"
                              "    stack = [2 * Block(mixer=M(heads=7)), RMSNorm]\n\n"
                              "design Second:\n"
                              "    width = 64\n"
                              "    vocab = 512\n"
                              "    stack = [2 * Block(mixer=M), RMSNorm]\n";
  for (const std::int64_t params : {0, 150'000, 300'000}) {
    const auto sized = sized_design(program, params, 512);
    ASSERT_TRUE(sized) << params << ": " << sized.error().message;
    EXPECT_EQ(sized->name, "Second");
  }
}

}  // namespace
}  // namespace gabbro::zoo
