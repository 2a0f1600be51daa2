// Tests the form of gradients. Their values are tested on every op and design (tests/zoo, tests/exec).
#include "ir/gradient.h"

#include <gtest/gtest.h>

#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::ir {
namespace {

// Returns the scan that differentiates the only scan of a unit with respect to all parameters.
Scan adjoint_of(const std::string& unit) {
  const lang::CheckReport report =
      lang::check(unit + "design M:\n    width = 16\n    vocab = 20\n    stack = U\n", zoo::library());
  for (const Error& e : report.errors) ADD_FAILURE() << format_error(unit, e);
  if (!report.valid()) return {};
  Graph graph = report.subjects.back().elaboration.graph;
  const std::vector<NodeId> outputs = graph.bodies[0].outputs;
  std::vector<NodeId> wrt;
  for (std::size_t id = 0; id < graph.bodies[0].nodes.size(); ++id)
    if (graph.bodies[0].nodes[id].op == Op::kParam) wrt.push_back(static_cast<NodeId>(id));
  Builder builder(graph, 0);
  const NodeId seed = builder.fit(builder.constant(1), builder.type(outputs[0]));
  differentiate(builder, outputs, std::vector<NodeId>{seed}, wrt);
  EXPECT_EQ(graph.scans.size(), 2U);
  EXPECT_EQ(graph.bodies.size(), 3U);
  EXPECT_TRUE(verify(graph).has_value());
  return graph.scans.back();
}

// The sum over positions of outer products of two vectors of a step is not carried as a state: it is one
// matrix product over all positions.
TEST(Gradient, WeightGradientsOfARecurrenceAreNotCarried) {
  const Scan dense = adjoint_of(
      "unit U(x: [t, D]) -> [t, D]:\n    scan y: [D] = 0:\n        y = tanh(x + linear(y, D))\n    return "
      "y\n");
  EXPECT_EQ(dense.inits.size(), 1U) << "the adjoint of y";

  const Scan twice = adjoint_of(
      "unit U(x: [t, D]) -> [t, D]:\n    axis e = D\n    w = param([D, e], init=normal(0.1))\n    scan y: "
      "[D] = 0:\n"
      "        z = rename(dot(y, w, over=D), e, D)\n        y = tanh(x + rename(dot(z, w, over=D), e, D))\n  "
      "  return y\n");
  EXPECT_EQ(twice.inits.size(), 1U);
}

TEST(Gradient, BiasGradientsOfARecurrenceAreCarriedAsSums) {
  const Scan bias = adjoint_of(
      "unit U(x: [t, D]) -> [t, D]:\n    b = param([D], init=0.1)\n    scan y: [D] = 0:\n"
      "        y = tanh(x + linear(y, D) + b)\n    return y\n");
  EXPECT_EQ(bias.inits.size(), 2U) << "the adjoint of y, and the sum for b";
}

}  // namespace
}  // namespace gabbro::ir
