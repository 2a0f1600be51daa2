// Tests the findings of the screen, which runs a design small: overflow, outputs that do not depend on the
// input, and nothing on designs that work.
#include "exec/reference/screen.h"

#include <fmt/format.h>

#include <gtest/gtest.h>

#include "ir/narrow.h"
#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::exec {
namespace {

constexpr std::int64_t kVocab = 31, kLeastWidth = 16;  // of the small graph

Screening screened(const std::string& program, std::uint64_t seed = 1) {
  const lang::CheckReport parsed = lang::check(program, zoo::library());
  EXPECT_TRUE(parsed.valid()) << program << parsed.errors[0].message;
  return screen(ir::narrowest(parsed.subjects.back().elaboration.graph, kVocab, kLeastWidth), seed);
}

std::string with_unit(const std::string& body, const std::string& stack) {
  return "unit U(x: [t, D]) -> [t, D]:\n" + body + "\ndesign M:\n    stack = " + stack + "\n";
}

// With 16 heads at D = 16, a key has one element, and normalising over it leaves only its sign.
TEST(Screen, TheSmallWidthLeavesHeadsMoreThanOneElement) {
  const auto width = [](const std::string& stack) {
    const lang::CheckReport parsed = lang::check("design M:\n    stack = " + stack + "\n", zoo::library());
    EXPECT_TRUE(parsed.valid());
    return ir::narrowest(parsed.subjects.back().elaboration.graph, kVocab, kLeastWidth).env.width;
  };
  EXPECT_EQ(width("[2 * Block(mixer=DeltaProduct(heads=8)), RMSNorm]"), 16);
  EXPECT_EQ(width("[2 * Block(mixer=DeltaProduct(heads=16)), RMSNorm]"), 32);
}

TEST(Screen, PassesWhatWorksWithAnySeed) {
  for (const char* stack :
       {"[2 * Block, RMSNorm]", "[2 * Block(mixer=GLA), RMSNorm]", "[2 * Block(mixer=Mamba2), RMSNorm]"})
    for (const std::uint64_t seed : {1, 2, 3}) {
      const Screening s = screened(std::string("design M:\n    stack = ") + stack + "\n", seed);
      EXPECT_TRUE(s.passes()) << stack << ": " << s.detail;
    }
}

// The derivative of a root is infinite at 0. It does not count where it belongs to a number of positions, by
// which training does not differentiate.
TEST(Screen, PassesInfiniteDerivativesThatTrainingDoesNotCompute) {
  for (const char* root : {"sqrt(maximum(n - 3, 0))", "sqrt(abs(n))", "sqrt(maximum(n, 0))"}) {
    const Screening s = screened(with_unit(
        fmt::format("    n = cumsum(where(sum(x, over=D) > 0, 1, 0))\n    return linear({} * x, D)\n", root),
        "[Residual(inner=U), Block, RMSNorm]"));
    EXPECT_TRUE(s.passes()) << root << ": " << s.detail;
  }
}

// Random tokens hardly ever repeat a stretch, as real text does.
TEST(Screen, PassesWhatReadsStretchesThatOccurAgain) {
  std::string same;
  for (int i = 0; i < 4; ++i)
    same += fmt::format(
        "    e{0} = where(sum((shift(x, {0}) - past(shift(x, {0}))) ** 2, over=D) < 1e-6, 1, 0)\n", i);
  const std::string unit =
      same +
      "    m = e0 * e1 * e2 * e3 * where(lag() < 1, 0, 1)\n"
      "    return linear(x, D) + sum(m * past(linear(x, D)), over=s) / (1 + sum(m, over=s))\n";
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const lang::CheckReport parsed =
        lang::check(with_unit(unit, "[Residual(inner=U), Block, RMSNorm]"), zoo::library());
    ASSERT_TRUE(parsed.valid()) << parsed.errors[0].message;
    const Screening s =
        screen(ir::narrowest(parsed.subjects.back().elaboration.graph, kVocab, kLeastWidth), seed, 128);
    EXPECT_TRUE(s.passes()) << s.detail;
  }
}

// A design with a fault, and what the screen says of it.
struct Planted {
  const char* why;
  const char* body;  // of the unit U
  const char* stack;
  Lack lack;
  const char* detail = "";  // a part of Screening::detail
};

TEST(Screen, FindsWhatTypesCannotSay) {
  const Planted cases[] = {
      {"twelve squarings leave float32", "    return x * x * linear(x, D)\n", "[8 * U, Block, RMSNorm]",
       Lack::kFinite},
      {"exp of a large number", "    return exp(100 * rms_normalize(x, over=D) * rms_normalize(x, over=D))\n",
       "[U, Block, RMSNorm]", Lack::kFinite},
      {"no derivative at the root of 0", "    return linear(x, D) + sqrt(relu(-abs(x)))\n",
       "[U, Block, RMSNorm]", Lack::kFinite},
      {"a gate that is always closed", "    return x + relu(-exp(linear(x, D)))\n", "[U, Block, RMSNorm]",
       Lack::kGradient},
      {"squarings that vanish below 5 and leave float32 above", "    return 0.2 * x * x\n",
       "[12 * U, Block, RMSNorm]", Lack::kFinite, "times as large"},
      {"a softmax over one score",
       "    axis one = 1\n    return x * sum(softmax(linear(shift(x, 1), one), over=one), over=one)\n",
       "[U, RMSNorm]", Lack::kMixing},
  };
  for (const Planted& c : cases) {
    const Screening s = screened(with_unit(c.body, c.stack));
    EXPECT_EQ(s.lack, c.lack) << c.why << ": " << s.detail;
    EXPECT_NE(s.detail.find(c.detail), std::string::npos) << c.why << ": " << s.detail;
    EXPECT_FALSE(s.detail.empty());
    EXPECT_EQ(screened(with_unit(c.body, c.stack)).detail, s.detail) << "the same twice";
  }
}

}  // namespace
}  // namespace gabbro::exec
