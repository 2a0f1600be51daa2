// Tests the predicted cost of an evaluation, computed before it runs.
#include "exec/reference/predicted_cost.h"

#include <gtest/gtest.h>

#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::exec {
namespace {

constexpr int kNodeOverhead = 300;  // predicted_cost.h

PredictedCost cost_of(const std::string& body, std::int64_t length) {
  const lang::CheckReport report =
      lang::check("unit U(x: [t, D]) -> [t, D]:\n" + body + "\ndesign M:\n    stack = [U, RMSNorm]\n",
                  zoo::library(), {.width = 8, .vocab = 16});
  EXPECT_TRUE(report.valid()) << body << (report.errors.empty() ? "" : report.errors[0].message);
  const ir::Graph& graph = report.subjects.back().elaboration.graph;
  return predict_cost(graph, graph.bodies[0].outputs, length);
}

// Returns statements that compute a value y0 of one element, and a chain of `links` sines of it.
std::string chain(int links, const std::string& indent) {
  std::string out = indent + "y0 = mean(x, over=D)\n";
  for (int i = 1; i <= links; ++i)
    out += indent + "y" + std::to_string(i) + " = sin(y" + std::to_string(i - 1) + ")\n";
  return out;
}

TEST(PredictedCost, CountsTinyOperationsAsMoreThanTheirElements) {
  const double few = cost_of(chain(10, "    ") + "    return shift(x, 1) * y10\n", 4).operations,
               many = cost_of(chain(110, "    ") + "    return shift(x, 1) * y110\n", 4).operations;
  EXPECT_EQ(many - few, 100 * (kNodeOverhead + 4));
}

TEST(PredictedCost, CountsThoseOfStepsAtEachPosition) {
  const auto recurrence = [](int links, std::int64_t length) {
    return cost_of("    scan S: [D] = 0:\n" + chain(links, "        ") + "        S = S + x * y" +
                       std::to_string(links) + "\n    return S\n",
                   length)
        .operations;
  };
  EXPECT_EQ(recurrence(60, 4) - recurrence(10, 4), 50 * 4 * (kNodeOverhead + 1));
  EXPECT_EQ(recurrence(60, 32) - recurrence(10, 32), 50 * 32 * (kNodeOverhead + 1));
}

}  // namespace
}  // namespace gabbro::exec
