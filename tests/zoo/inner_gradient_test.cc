// Tests inner gradients against finite differences: grad(loss, z) times dz/dp is dloss/dp for a parameter p
// that enters only through z.
#include <gtest/gtest.h>

#include <cmath>

#include "exec/reference/reference.h"
#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

constexpr int kLength = 4;

struct Row {
  const char* what;  // what z is, or how the loss depends on it
  // Computes z from w (which holds p), and the loss from z.
  const char* step;
};

const Row kRows[] = {
    {"a value from before the scan", "z = w\nloss = sum(z ** 2 + z * x)"},
    {"a state beside it", "z = w\nloss = sum((z - S) ** 2)"},
    {"a multiple, of which multiples are taken", "z = 0.5 * w\nloss = sum(z * z) + sum(3 * z)"},
    {"a value with the other sign", "z = -w\nloss = sum((x - z) ** 2)"},
    {"a reciprocal of which one is taken", "z = 1 / (4 + w)\nloss = sum(1 / z + z)"},
    {"a sum that is summed again", "z = sum(w, over=D)\nloss = sum(z) + sum(z * x)"},
    {"a product that is summed", "z = w * x\nloss = sum(z)"},
    {"a value renamed and renamed back",
     "z = rename(w, D, e)\nloss = sum(rename(z, e, D) * x) + sum(z ** 3)"},
    {"a normalised value", "z = w\nloss = sum(RMSNorm(z) * x)"},
    {"a softmax", "z = 2 * w\nloss = sum(softmax(z, over=D) * x)"},
    {"branches", "z = 3 * w\nloss = sum(where(x < 0, z * z, maximum(z, x)))"},
    {"a value that changes on the way", "v = 2 * w\nz = v * v\nloss = sum(2 * z * x)"},
};

// Returns a unit with three outputs: the inner gradient, the loss and z.
std::string program(const Row& row) {
  std::string step;
  for (const char c : std::string(row.step)) step += c == '\n' ? "\n        " : std::string(1, c);
  return "unit U(x: [t, D]) -> [t, D], loss: [t, D], value: [t, D]:\n"
         "    axis e = D\n"
         "    w = x + param([D], init=0.3)\n"
         "    scan S: [D] = 0:\n"
         "        " +
         step +
         "\n        g = grad(loss, z)\n"
         "        S = 0.5 * S + x + 0 * sum(iota(e))\n" +
         (std::string(row.step).find(", e)") != std::string::npos
              ? "    return rename(g, e, D), broadcast(loss, [D]), rename(z, e, D)\n"
              : "    return 0 * x + g, broadcast(loss, [D]), 0 * x + z\n");
}

TEST(InnerGradient, MatchesFiniteDifferences) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.what);
    const std::string text = program(row);
    lang::CheckReport report = lang::check(text, zoo::library());
    for (const Error& e : report.errors) ADD_FAILURE() << format_error("U", e) << "\n" << text;
    if (!report.valid()) continue;
    const lang::Elaboration& e = report.subjects.back().elaboration;
    const auto width = e.graph.axes[e.width].size;
    Random random(11);
    exec::Feed feed;
    feed.params = exec::initial_params(e.graph, random);
    exec::Tensor x = exec::zeros(e.graph, {ir::kTime, e.width}, kLength);
    for (double& v : x.data) v = random.uniform(0.2, 1) * (random.chance(0.5) ? 1 : -1);
    feed.inputs = {x};
    // Returns the outputs where p is shifted in one channel.
    const auto outputs_at = [&](double shift, std::size_t channel) {
      exec::Feed moved = feed;
      for (std::size_t p = 0; p < e.graph.params.size(); ++p)
        if (e.graph.params[p].name == "unit.w") moved.params[p].data[channel] += shift;
      return exec::evaluate(e.graph, e.outputs, moved, kLength);
    };
    double size = 0;
    for (const std::size_t channel : {std::size_t{0}, std::size_t{3}}) {
      constexpr double kShift = 1e-5;
      const auto here = outputs_at(0, channel), less = outputs_at(-kShift, channel),
                 more = outputs_at(kShift, channel);
      for (std::size_t t = 0; t < kLength; ++t) {
        const std::size_t i = t * static_cast<std::size_t>(width) + channel;
        const auto slope = [&](std::size_t output) {
          return (more[output].data[i] - less[output].data[i]) / (2 * kShift);
        };
        size += std::abs(slope(1));
        EXPECT_NEAR(here[0].data[i] * slope(2), slope(1), 1e-5 * (1 + std::abs(slope(1))))
            << "position " << t << ", channel " << channel;
      }
    }
    EXPECT_GT(size, 1e-2) << "a loss that does not move proves nothing";
  }
}

}  // namespace
}  // namespace gabbro::testing
