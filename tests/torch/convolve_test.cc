// Tests of sums over past positions with weights by distance: which ones become convolutions, that torch on
// the rewritten graph agrees with the reference on the original graph, forward and backward, and that not a
// single bit of a later position is read.
#include <gtest/gtest.h>

#include <cmath>

#include "edit/build.h"
#include "edit/generate.h"
#include "ir/convolve.h"
#include "ir/facts.h"
#include "ir/fuse.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "torch/agree.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

// Returns a mixer that adds `value`, a formula of x: [t, D], z: [t, h, k] and p: [D].
lang::Elaboration unit(const std::string& value) {
  const std::string text =
      "unit Made(x: [t, D]) -> [t, D]:\n    axis h = 2, k = 3\n    z = linear(x, [h, k])\n"
      "    p = softplus(param([D], init=0.5))\n    value = " +
      value + "\n    return x + value + p * sum(z, over=[h, k])\n";
  const lang::ParseResult parsed = lang::parse(text);
  for (const Error& error : parsed.errors) ADD_FAILURE() << format_error("unit", error) << "\n" << text;
  return elaborated(parsed.program, edit::build::name("Made"), 6);
}

ir::Graph convolved(const lang::Elaboration& e) {
  ir::Graph plain = e.graph;
  plain.bodies[0].outputs = e.outputs;
  return ir::fuse(ir::convolve(plain));  // Nodes that are no longer read are removed.
}

int count(const ir::Graph& graph, ir::Op op) {
  int n = 0;
  for (const ir::Node& node : graph.bodies[0].nodes) n += node.op == op;
  return n;
}

// Expects that the convolved graph agrees with the original one in float64 and, if `in_float` is true, in
// float32.
void expect_same(lang::Elaboration e, int sequences, int length, bool in_float = true) {
  ASSERT_TRUE(e.ok());
  ir::Graph lowered = convolved(e);
  Sequences s = random_sequences(e, sequences, length, 3);
  const auto inputs = static_cast<int>(s.feeds[0].inputs.size());
  const std::vector<ir::NodeId> wanted = with_gradients(e, s), outputs = lowered.bodies[0].outputs,
                                lowered_wanted = gradient_nodes(lowered, outputs, inputs);
  const Result<bool> verified = ir::verify(lowered);
  ASSERT_TRUE(verified.has_value()) << verified.error().message;
  EXPECT_EQ(lowering_disagreement(e.graph, wanted, lowered, lowered_wanted, s, kDoubleTolerance,
                                  in_float ? kFloatTolerance : 0),
            "");
}

struct Case {
  const char* value;
  int convolutions;
  const char* why;
};

constexpr Case kCases[] = {
    {"sum(past(x) * exp(-0.3 * lag()), over=s)", 1, "one filter for all channels"},
    {"sum(past(x) * exp(-lag() * p), over=s)", 1, "a filter per channel"},
    {"sum(exp(-lag() * p) * past(x), over=s) * x", 1, "a gate"},
    {"sum(x * past(x) * exp(-lag() * p) * past(tanh(x)), over=s)", 1, "factors of all kinds in one product"},
    {"sum(dot(z, past(z), over=[h, k]) * exp(-lag()) * past(x), over=s)", 0, "products of pairs"},
    {"sum(past(z) * sin(lag() * iota(k)), over=[s, h, k]) * x", 1, "axes of either side are summed"},
    {"sum(past(x) * sin(lag() + iota(k)), over=[s, k])", 1, "an axis of the filter is summed"},
    {"sum(exp(-lag()), over=s) * x", 1, "no values: how much weight there is"},
    {"sum(past(x) * exp(-lag()), over=s) / sum(exp(-lag()), over=s)", 2, "a weighted mean"},
    {"sum(past(x) * lookup(param([h, D], init=normal(1)), lag() / 3, over=h), over=s)", 1,
     "a table of weights"},
    {"sum(past(x) * where(lag() < 4, 1 / (1 + lag()), 0.1), over=s)", 1, "a formula with cases"},
    {"sum(tanh(past(x) * p) * cos(0.5 * lag()), over=s)", 1, "a formula of the past value"},
    {"sum(past(x) * exp(-lag() * p) + past(x) * past(x), over=s)", 0, "a sum of products is no product"},
    {"sum(past(x), over=s)", 0, "a running sum"},
    {"sum(past(x) * x, over=s)", 0, "a running sum with a gate"},
    {"sum(past(x, 3) * exp(-lag(3)), over=s)", 0, "a window"},
    {"sum(tanh(x + past(x)) * exp(-lag()), over=s)", 0, "values of pairs"},
    {"sum(softmax(dot(z, past(z), over=[h, k]) - 0.3 * lag(), over=s) * past(x), over=s)", 0,
     "scores of pairs"},
    {"sum(past(x) * exp(-lag() * sigmoid(x)), over=s)", 0, "the filter follows from the present value"},
    {"max(past(x) * exp(-lag()), over=s)", 0, "no sum"},
    {"sum(past(x) * sin(position()) * exp(-lag()), over=s)", 1, "the position of the sum is a gate"},
};

TEST(Convolutions, AreFound) {
  for (const Case& c : kCases) {
    const lang::Elaboration e = unit(c.value);
    ASSERT_TRUE(e.ok()) << c.value;
    const ir::Graph lowered = convolved(e);
    EXPECT_EQ(count(lowered, ir::Op::kConvolve), c.convolutions) << c.value << ": " << c.why;
    if (c.convolutions > 0) {
      EXPECT_EQ(count(lowered, ir::Op::kPast), 0) << c.value;
    }
  }
}

TEST(Convolutions, OfHyena) {
  const lang::Elaboration e = elaborated({}, *lang::parse_expression("Hyena"), 16);
  ASSERT_TRUE(e.ok());
  const ir::Graph lowered = convolved(e);
  EXPECT_EQ(count(lowered, ir::Op::kConvolve), 2);
  for (const ir::Node& node : lowered.bodies[0].nodes)
    EXPECT_NE(node.type.window, ir::kAll) << info(node.op).name;
}

TEST(Convolutions, Agree) {
  for (const Case& c : kCases)
    for (const int length : {1, 2, 3, 8, 11}) {
      if (c.convolutions == 0) continue;
      SCOPED_TRACE(std::string(c.value) + ", length " + std::to_string(length));
      expect_same(unit(c.value), 3, length);
      if (HasFailure()) return;
    }
}

TEST(Convolutions, OfHyenaAgree) {
  for (const int length : {1, 2, 7, 20})
    expect_same(elaborated({}, *lang::parse_expression("Hyena"), 8), 3, length);
}

// Full vectors, one position less and one more.
TEST(Convolutions, AgreeAtFullSize) {
  for (const int length : {31, 32, 33, 67})
    expect_same(unit("sum(past(x) * exp(-lag() * p), over=s)"), 2, length);
}

void expect_random_units(std::uint64_t first, std::uint64_t count_of_units, int fewest_convolved) {
  int convolved_units = 0;
  for (std::uint64_t i = first; i < first + count_of_units; ++i) {
    Random random = Random(77).split(i);
    lang::Program program;
    program.items.push_back(
        {edit::random_unit(random, edit::UnitKind::kMixer, "Made", 3 + static_cast<int>(random.below(12))),
         {},
         {}});
    SCOPED_TRACE("unit " + std::to_string(i) + "\n" + lang::print(program));
    lang::Elaboration e = elaborated(program, edit::build::name("Made"), 16);
    if (count(convolved(e), ir::Op::kConvolve) == 0) continue;
    ++convolved_units;
    expect_same(std::move(e), 2, 6, /*in_float=*/false);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(convolved_units, fewest_convolved);
}

TEST(Convolutions, AgreeOnRandomUnits) { expect_random_units(0, 300, 1); }
TEST(Convolutions, AgreeOnRandomUnitsSlow) { expect_random_units(300, 3000, 10); }

// A convolution in float32 on long sequences.
class LongConvolution {
 public:
  static constexpr std::int64_t kLength = 300;

  LongConvolution() : e_(unit("sum(past(x) * exp(-0.01 * lag() * p), over=s)")), graph_(convolved(e_)) {
    EXPECT_EQ(count(graph_, ir::Op::kConvolve), 1);
    at::manual_seed(3);
    for (const ir::Param& param : graph_.params) {
      std::vector<std::int64_t> sizes;
      for (const ir::AxisId axis : param.axes) sizes.push_back(graph_.axes[axis].size);
      params_.push_back(at::randn(sizes).abs());
    }
  }

  at::Tensor operator()(const at::Tensor& x, const at::Tensor& starts = {}) const {
    exec::torch::Executor executor(graph_, graph_.bodies[0].outputs, {});
    exec::torch::Batch batch;
    batch.inputs = {x};
    batch.starts = starts;
    return executor.run(params_, batch)[0];
  }

 private:
  lang::Elaboration e_;
  ir::Graph graph_;
  std::vector<at::Tensor> params_;
};

TEST(Convolutions, NothingOfTheFutureEntersByRounding) {
  const LongConvolution run;
  const at::Tensor x = at::randn({2, LongConvolution::kLength, 6});
  const at::Tensor base = run(x);
  for (const std::int64_t t : {1, 63, 64, 100, 256, 299})
    for (const double factor : {-1.0, 1e20}) {
      at::Tensor other = x.clone();
      other.narrow(1, t, LongConvolution::kLength - t).mul_(factor);
      EXPECT_TRUE(run(other).narrow(1, 0, t).equal(base.narrow(1, 0, t))) << t << " " << factor;
      EXPECT_FALSE(run(other).narrow(1, t, 1).equal(base.narrow(1, t, 1)));
    }
}

TEST(Convolutions, NothingOfAnotherDocumentEntersByRounding) {
  const LongConvolution run;
  const at::Tensor x = at::randn({1, LongConvolution::kLength, 6});
  at::Tensor starts = at::zeros({1, LongConvolution::kLength}, at::kLong);
  starts.narrow(1, 130, 150).fill_(130);
  starts.narrow(1, 280, 20).fill_(280);
  const at::Tensor base = run(x, starts);
  at::Tensor other = x.clone();
  other.narrow(1, 0, 130).mul_(1e20);
  other.narrow(1, 280, 20).fill_(std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(run(other, starts).narrow(1, 130, 150).equal(base.narrow(1, 130, 150)));
  EXPECT_TRUE(at::allclose(base.narrow(1, 130, 150), run(x.narrow(1, 130, 150)), 1e-4, 1e-4));
}

// exp(lag) overflows in float32 at 89, but no document is that long.
TEST(Convolutions, WeightsAtDistancesThatNoDocumentHasDoNoHarm) {
  const lang::Elaboration e = unit("0.001 * sum(past(x) * exp(lag() * (1 + 0.001 * p)), over=s)");
  Sequences s = random_sequences(e, 5, 40, 3);
  for (exec::Feed& feed : s.feeds)
    for (exec::Tensor& p : feed.params)
      for (double& v : p.data) v = 0.1;
  lang::Elaboration written = e;
  ir::Graph lowered = convolved(e);
  const std::vector<ir::NodeId> wanted = with_gradients(written, s), outputs = lowered.bodies[0].outputs,
                                lowered_wanted = gradient_nodes(lowered, outputs, /*inputs=*/1);
  EXPECT_EQ(lowering_disagreement(written.graph, wanted, lowered, lowered_wanted, s, 0, kFloatTolerance), "");
}

}  // namespace
}  // namespace gabbro::testing
