// Tests facts against sums worked out by hand.
#include "ir/facts.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::ir {
namespace {

constexpr double D = 64, V = 100, T = 1000;

// The facts of a unit or of a design at width 64, vocabulary size 100 and context 1000.
struct Checked {
  Facts facts;
  SymEnv env;
  std::int64_t params = 0;
  [[nodiscard]] double value(const Sym& s) const { return s.eval(env); }
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
  EXPECT_EQ(c.value(c.facts.params), static_cast<double>(c.params));
}

TEST(Facts, FlopsOfLinearMaps) {
  const Checked one = check_body("    return linear(x, D)\n");
  EXPECT_EQ(one.value(one.facts.decode_flops), kHead + 2 * D * D);
  EXPECT_EQ(one.value(one.facts.train_flops), 3 * (kHead + 2 * D * D));
  const Checked sum = check_body("    return x + linear(x, D)\n");
  EXPECT_EQ(sum.value(sum.facts.decode_flops) - one.value(one.facts.decode_flops), D);
}

// Scores and weighted values cost 2 D operations each per pair. In training, a position sees half of the
// context on average; in decoding, the last token sees all of it.
TEST(Facts, FlopsOfAttentionGrowWithTheContext) {
  const Checked c = check("Attention(heads=4)");
  SymEnv twice = c.env;
  twice.context = 2 * T;
  const double decode = c.facts.decode_flops.eval(twice) - c.value(c.facts.decode_flops);
  const double train = c.facts.forward_flops.eval(twice) - c.value(c.facts.forward_flops);
  EXPECT_NEAR(decode, 2 * train, 1e-6 * decode);
  EXPECT_GE(decode / T, 4 * D);           // the two contractions
  EXPECT_LE(decode / T, 4 * D + 4 * 16);  // and a few operations per head on the scores
}

// Returns the body of a unit whose weight is made from parameters in `count` rounds of
// p = 0.9 p + 0.1 tanh(w p).
std::string weight_made_in_rounds(int count) {
  return fmt::format(
      "    axis i = D, j = D\n    w = param([i, j], init=normal(0.1))\n"
      "    for r in {} with p = param([D, j], init=normal(0.1)):\n"
      "        p = 0.9 * p + 0.1 * tanh(rename(dot(w, p, over=j), i, j))\n"
      "    return rename(dot(x, p, over=D), j, D)\n",
      count);
}

// A round costs a product of two matrices, and tanh, two scalings and a sum of one matrix.
TEST(Facts, WorkOnParametersAloneIsCountedPerStep) {
  const Checked one = check_body(weight_made_in_rounds(1)), many = check_body(weight_made_in_rounds(60));
  const double round = 2 * D * D * D + 4 * D * D;
  EXPECT_EQ(one.value(one.facts.step_forward_flops), round);
  EXPECT_EQ(many.value(many.facts.step_forward_flops), 60 * round);
  EXPECT_EQ(many.value(many.facts.step_train_flops), 3 * 60 * round);
  EXPECT_EQ(many.value(many.facts.train_flops), one.value(one.facts.train_flops));
  EXPECT_FALSE(many.facts.step_train_flops.depends_on(Atom::kContext));

  const Checked slopes = check_body("    return x * -exp(param([D], init=0)) + shift(x, 1)\n");
  EXPECT_EQ(slopes.value(slopes.facts.step_forward_flops), 2 * D);
  EXPECT_EQ(check("MLP").facts.step_train_flops.to_string(), "0");
  // Frequencies of queries and keys: a product and an exponential for each pair of a head's elements.
  const Checked rotary = check("Attention(heads=4)");
  EXPECT_EQ(rotary.value(rotary.facts.step_forward_flops), 2 * 2 * D / 4 / 2);
}

// The tokens of a step share the work of training, those of a text the work of decoding.
TEST(Facts, TokensShareTheWorkOnParameters) {
  const Checked c = check_body(weight_made_in_rounds(60));
  const double work = 60 * (2 * D * D * D + 4 * D * D), rest = kHead + 2 * D * D;
  const TokenCosts costs = token_costs(c.facts, c.env, 8, 128);
  EXPECT_DOUBLE_EQ(costs.forward_flops, rest + work / (8 * 128));
  EXPECT_DOUBLE_EQ(costs.train_flops, 3 * (rest + work / (8 * 128)));
  EXPECT_DOUBLE_EQ(costs.train_share, 3 * work / (8 * 128));
  EXPECT_DOUBLE_EQ(costs.decode_flops, rest + work / 128);
  EXPECT_DOUBLE_EQ(costs.decode_share, work / 128);
  const Checked attention = check("MultiHeadAttention");  // without rotary positions
  SymEnv env = attention.env;
  env.context = 128;
  const TokenCosts plain = token_costs(attention.facts, attention.env, 8, 128);
  EXPECT_EQ(plain.train_flops, attention.facts.train_flops.eval(env));
  EXPECT_EQ(plain.decode_flops, attention.facts.decode_flops.eval(env));
  EXPECT_EQ(plain.state_bytes, attention.facts.state_bytes.eval(env));
}

// Formulas over past positions are evaluated for every pair that reads them, whatever they depend on.
TEST(Facts, FormulasOverPastPositionsCountForEveryPair) {
  const auto difference = [](const std::string& before, const std::string& after, double window) {
    const auto at = [&](int count) {
      const Checked c = check_body(
          fmt::format("    for r in {} with b = {}:\n        b = tanh(b)\n", count, before) + after);
      return std::array{c.value(c.facts.forward_flops), c.value(c.facts.decode_flops)};
    };
    const auto few = at(1), many = at(11);
    const double mean = window - window * window / (2 * T);
    EXPECT_NEAR(many[0] - few[0], 10 * mean * D, 1e-6 * many[0]) << before << after;
    EXPECT_NEAR(many[1] - few[1], 10 * window * D, 1e-6 * many[1]) << before << after;
  };
  const std::string p = "param([D], init=1)";
  difference("past(x)", "    return sum(b, over=s)\n", T);
  difference("past(x)", "    return max(b, over=s)\n", T);
  difference("past(x, 16)", "    return sum(b, over=s)\n", 16);
  difference("lag() * " + p, "    return sum(b * x * past(x), over=s)\n", T);
  difference("lag() * " + p, "    return max(b * past(x), over=s)\n", T);
  difference("lag(16) * " + p, "    return sum(b * past(x, 16), over=s)\n", 16);
}

// A token sees no more positions than there are, so a window as long as the text costs what `all` does.
TEST(Facts, WindowsLongerThanTheTextCostWhatAllDoes) {
  const Checked all = check("Attention");
  for (const char* window : {"1000", "1001", "65536"}) {
    const Checked c = check(fmt::format("Attention(window={})", window));
    EXPECT_DOUBLE_EQ(c.value(c.facts.train_flops), all.value(all.facts.train_flops)) << window;
    EXPECT_DOUBLE_EQ(c.value(c.facts.decode_flops), all.value(all.facts.decode_flops)) << window;
    EXPECT_DOUBLE_EQ(c.value(c.facts.state_bytes), all.value(all.facts.state_bytes)) << window;
  }
  const Checked shifted = check_body("    return shift(x, 5000)\n");
  EXPECT_EQ(shifted.value(shifted.facts.state_bytes), 4 * D * T);
}

// The formula counts positions as continuous, which is within half a position of the mean over tokens.
TEST(Facts, TokensAtTheBeginningSeeFewerPositionsOfAWindow) {
  const auto flops = [](int window) {
    const Checked c = check_body(fmt::format("    return max(past(x, {}), over=s)\n", window));
    return c.value(c.facts.forward_flops) - kHead;
  };
  for (const int window : {1, 2, 100, 999, 1000, 5000}) {
    double seen = 0;
    for (int t = 0; t < T; ++t) seen += std::min(t + 1, window) / T;
    EXPECT_NEAR(flops(window) / D, seen, 0.5) << window;
  }
}

// Filters and sources of long convolutions, and running sums, are evaluated once per distance or position.
TEST(Facts, ConvolutionsAndRunningSumsCountOncePerToken) {
  const auto flops = [](const std::string& filter) {
    const Checked c = check_body("    return sum(" + filter + " * past(x), over=s)\n");
    EXPECT_EQ(c.facts.complexity, "O(T log T)");
    return c.value(c.facts.decode_flops);
  };
  const std::string filter = "exp(-lag() * param([D], init=1))";
  EXPECT_EQ(flops("tanh(" + filter + ")") - flops(filter), D);
  const Checked sum = check_body("    return sum(past(x), over=s)\n");
  EXPECT_EQ(sum.value(sum.facts.decode_flops), kHead + D);
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
  const auto bytes = [](const Checked& c) { return c.value(c.facts.state_bytes); };
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
    return c.facts.parallel_depth.eval(twice) - c.value(c.facts.parallel_depth);
  };
  EXPECT_EQ(grows(check("Attention")), 0);
  EXPECT_NEAR(grows(check("GLA")), 1, 1e-9);
  EXPECT_GE(grows(check("SLSTM")), T);
}

TEST(Facts, AffineRecurrencesAreRecognised) {
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
