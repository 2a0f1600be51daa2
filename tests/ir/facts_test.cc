// Tests facts against sums worked out by hand.
#include "ir/facts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::ir {
namespace {

constexpr double D = 64, V = 100, T = 1000;

// Facts of a unit or of a design, at width 64, vocabulary size 100, context 1000.
struct Checked {
  Facts facts;
  SymEnv env;
  std::int64_t params = 0;
  [[nodiscard]] double at(const Sym& s) const { return s.eval(env); }
};

Checked check_program(const std::string& text) {
  const lang::CheckReport report = lang::check(text, zoo::library());
  for (const Error& e : report.errors) ADD_FAILURE() << format_error(text, e);
  Checked out;
  if (!report.valid()) return out;
  out.facts = report.subjects[0].facts;
  out.env = report.subjects[0].elaboration.graph.env;
  out.env.context = T;
  out.params = count_params(report.subjects[0].elaboration.graph);
  return out;
}

std::string design(const std::string& stack) {
  return "design M:\n    width = 64\n    vocab = 100\n    stack = " + stack + "\n";
}
Checked check(const std::string& stack) { return check_program(design(stack)); }
Checked check_body(const std::string& body) {
  return check_program("unit U(x: [t, D]) -> [t, D]:\n" + body + "\n" + design("U"));
}

constexpr double kHead = 2 * D * V;  // FLOPs of the output layer

TEST(Facts, Parameters) {
  EXPECT_EQ(check("Identity").params, 2 * D * V);
  EXPECT_EQ(check("RMSNorm").params, 2 * D * V + D);
  EXPECT_EQ(check("MLP(mult=4)").params, 2 * D * V + 8 * D * D);
  EXPECT_EQ(check("Attention").params, 2 * D * V + 4 * D * D);
  EXPECT_EQ(check("3 * Attention").params, 2 * D * V + 12 * D * D);
  const Checked c = check("Attention");
  EXPECT_EQ(c.at(c.facts.params), static_cast<double>(c.params));
}

TEST(Facts, FlopsOfLinearMaps) {
  const Checked one = check_body("    return linear(x, D)\n");
  EXPECT_EQ(one.at(one.facts.decode_flops), kHead + 2 * D * D);
  EXPECT_EQ(one.at(one.facts.train_flops), 3 * (kHead + 2 * D * D));
  const Checked sum = check_body("    return x + linear(x, D)\n");
  EXPECT_EQ(sum.at(sum.facts.decode_flops) - one.at(one.facts.decode_flops), D);
}

// Scores and weighted values cost 2 D operations each per pair. In training, a position sees half of the
// context on average; in decoding, the last token sees all of it.
TEST(Facts, FlopsOfAttentionGrowWithTheContext) {
  const Checked c = check("Attention(heads=4)");
  SymEnv twice = c.env;
  twice.context = 2 * T;
  const double decode = c.facts.decode_flops.eval(twice) - c.at(c.facts.decode_flops);
  const double train = c.facts.forward_flops.eval(twice) - c.at(c.facts.forward_flops);
  EXPECT_NEAR(decode, 2 * train, 1e-6 * decode);
  EXPECT_GE(decode / T, 4 * D);           // the two contractions
  EXPECT_LE(decode / T, 4 * D + 4 * 16);  // and a few operations per head on the scores
}

TEST(Facts, ReceptiveFields) {
  EXPECT_EQ(check("MLP").facts.reach, (Reach{0, 0}));
  EXPECT_FALSE(check("MLP").facts.mixes_tokens);
  EXPECT_EQ(check("Attention(window=16)").facts.reach, (Reach{-15, 0}));
  EXPECT_EQ(check("2 * Attention(window=16)").facts.reach, (Reach{-30, 0}));
  EXPECT_EQ(check("ShortConv(width=4)").facts.reach, (Reach{-3, 0}));
  EXPECT_EQ(check("Attention").facts.reach.first, -Reach::kFar);
  EXPECT_EQ(check("GLA").facts.reach.first, -Reach::kFar);
  EXPECT_EQ(check_body("    return shift(x, 5)\n").facts.reach, (Reach{-5, -5}));
}

TEST(Facts, DecodingState) {
  const auto bytes = [](const Checked& c) { return c.at(c.facts.state_bytes); };
  EXPECT_EQ(bytes(check("MLP")), 0);
  EXPECT_EQ(bytes(check("ShortConv(width=4)")), 4 * 3 * D);
  EXPECT_EQ(bytes(check("GLA(heads=2)")), 4 * 2 * (D / 4) * (D / 2));
  EXPECT_EQ(bytes(check("Attention(heads=4)")), 4 * 2 * D * T);
  // Keys and values exist for half of the queries.
  EXPECT_EQ(bytes(check("Attention(heads=2, groups=2)")), 4 * D * T);
  EXPECT_EQ(bytes(check("Attention(window=16)")), 4 * 2 * D * 16);
  EXPECT_TRUE(check("Attention").facts.state_grows);
  EXPECT_FALSE(check("Attention(window=16)").facts.state_grows);
  EXPECT_FALSE(check("GLA").facts.state_grows);
  // The state is a running sum; the position gives the count.
  EXPECT_EQ(bytes(check_body("    return mean(past(x), over=s)\n")), 4 * D);
}

TEST(Facts, Complexity) {
  EXPECT_EQ(check("Attention").facts.complexity, "O(T²)");
  EXPECT_EQ(check("Attention(window=16)").facts.complexity, "O(T)");
  EXPECT_EQ(check("GLA").facts.complexity, "O(T)");
  EXPECT_EQ(check("Hyena").facts.complexity, "O(T log T)");
}

// Affine recurrences add a logarithm of T to the depth, other recurrences a step per token.
TEST(Facts, ParallelDepth) {
  const auto grows = [](const Checked& c) {
    SymEnv twice = c.env;
    twice.context = 2 * T;
    return c.facts.parallel_depth.eval(twice) - c.at(c.facts.parallel_depth);
  };
  EXPECT_EQ(grows(check("Attention")), 0);
  EXPECT_NEAR(grows(check("GLA")), 1, 1e-9);
  EXPECT_GE(grows(check("SLSTM")), T);
}

TEST(Facts, AffineRecurrencesAreKnown) {
  const auto affine = [](const std::string& update) {
    const lang::CheckReport report = lang::check(
        "unit U(x: [t, D]) -> [t, D]:\n    a = sigmoid(linear(x, D))\n    scan S: [D] = 0:\n        S = " +
            update + "\n    return S * a\n",
        zoo::library());
    EXPECT_TRUE(report.valid()) << update;
    const Graph& g = report.subjects.at(0).elaboration.graph;
    return is_affine(g, g.scans.at(0));
  };
  EXPECT_TRUE(affine("a * S + x"));
  EXPECT_TRUE(affine("S + a * (x - S)"));
  EXPECT_TRUE(affine("where(a < 0.5, S, x)"));
  EXPECT_FALSE(affine("tanh(S + x)"));
  EXPECT_FALSE(affine("S * S + x"));
  EXPECT_FALSE(affine("where(S < 0.5, S, x)"));
}

}  // namespace
}  // namespace gabbro::ir
