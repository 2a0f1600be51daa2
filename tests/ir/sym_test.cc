// Tests symbolic sizes: arithmetic, canonical texts, and agreement with concrete numbers.
#include "ir/sym.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace gabbro::ir {
namespace {

const Sym D = Sym::atom(Atom::kWidth), V = Sym::atom(Atom::kVocab), T = Sym::atom(Atom::kContext);

TEST(Sym, EqualPolynomialsAreEqual) {
  EXPECT_EQ((D + V) * D, D * D + V * D);
  EXPECT_EQ(D - D, Sym(0));
  EXPECT_EQ(D * V / V, D);
  EXPECT_EQ(pow(D, Sym(2)), D * D);
  EXPECT_EQ(pow(D, Sym(0.5)) * pow(D, Sym(0.5)), D);
  EXPECT_FALSE(D == V);
  EXPECT_EQ((D + V).key(), (V + D).key());
  EXPECT_NE((D + V).key(), (D - V).key());
}

TEST(Sym, CallsAreKeptAsTheyAre) {
  const Sym f = Sym::call(Sym::Fn::kFloor, D * Sym(8.0 / 3));
  EXPECT_EQ(f, Sym::call(Sym::Fn::kFloor, D * Sym(8.0 / 3)));
  EXPECT_NE(f.key(), (D * Sym(8.0 / 3)).key());
  EXPECT_EQ(f.eval({.width = 256}), 682);
  EXPECT_EQ(Sym::call(Sym::Fn::kFloor, Sym(2.5)).constant(), 2);
  EXPECT_EQ(Sym::call(Sym::Fn::kMax, Sym(2), Sym(3)).constant(), 3);
}

TEST(Sym, ConstantsAndDependence) {
  EXPECT_TRUE(Sym(3).is_constant());
  EXPECT_FALSE(D.is_constant());
  EXPECT_TRUE(std::isnan(D.constant()));
  EXPECT_TRUE((D * T).depends_on(Atom::kContext));
  EXPECT_FALSE((D * V).depends_on(Atom::kContext));
  EXPECT_TRUE(Sym::call(Sym::Fn::kLog, T).depends_on(Atom::kContext));
}

TEST(Sym, Text) {
  EXPECT_EQ((Sym(4) * D * D + D * V * Sym(2)).to_string(), "4·D² + 2·D·V");
  EXPECT_EQ(Sym(0).to_string(), "0");
}

// A random expression tree has the same value symbolically and directly.
TEST(Sym, EvaluatesLikeTheExpressionItIsMadeOf) {
  const SymEnv env{.width = 48, .vocab = 100, .context = 17};
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    Sym s = D;
    double n = env.width;
    for (int step = 0; step < 8; ++step) {
      const Sym other = random.chance(0.5) ? V + Sym(1) : T * Sym(0.5);
      const double value = other.eval(env);
      switch (random.below(5)) {
        case 0:
          s = s + other, n = n + value;
          break;
        case 1:
          s = s - other * Sym(0.25), n = n - value * 0.25;
          break;
        case 2:
          s = s * other, n = n * value;
          break;
        case 3:
          s = s / other, n = n / value;
          break;
        default:
          s = Sym::call(Sym::Fn::kMax, s, other), n = std::max(n, value);
      }
    }
    EXPECT_NEAR(s.eval(env), n, 1e-9 * std::abs(n)) << s.to_string();
  }
}

}  // namespace
}  // namespace gabbro::ir
