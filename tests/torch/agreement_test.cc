// Checks that torch agrees with the reference on every op, every unit of the zoo and random units, forward
// and backward, for batches and for documents packed into one sequence.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <sstream>

#include "edit/build.h"
#include "edit/generate.h"
#include "ir/convolve.h"
#include "ir/fuse.h"
#include "ir/op.h"
#include "ir/quotients.h"
#include "ir/recurrences.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "torch/agree.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

constexpr int kLength = 5;

TEST(TorchAgrees, OnEveryOp) {
  int samples = 0;
  for (const ir::OpInfo& op : ir::all_ops()) {
    std::stringstream list{std::string(op.samples)};
    for (std::string sample; std::getline(list, sample, ';'); ++samples) {
      SCOPED_TRACE(std::string(op.name) + ": " + sample);
      const std::string text =
          "unit Sample(x: [t, D], y: [t, D]) -> [t, D]:\n    axis h = 2, k = 3, j = 3, w = h * k * j\n"
          "    z = linear(x, [h, k])\n    p = param([D], init=0.5)\n    value = " +
          sample +
          "\n    total = sum(value * value)\n    return x + y + p + sum(z) + total * param([D], init=1) + 0 "
          "* w * h * k * j\n";
      expect_agreement(elaborated(lang::parse(text).program, edit::build::name("Sample"), 6), kLength);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(samples, 50);
}

TEST(TorchAgrees, OnEveryUnitOfTheZoo) {
  int units = 0, fused_graphs = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items) {
      const auto* unit = std::get_if<lang::Unit>(&item.value);
      if (!unit) continue;
      SCOPED_TRACE(unit->name);
      for (const int width : {16, 32, 64}) {  // The unit runs at the first width that it can have.
        lang::ElaborateOptions options;
        options.width = width;
        lang::Elaboration e = lang::elaborate(zoo::library(), edit::build::name(unit->name), options);
        if (!e.ok()) continue;
        fused_graphs += expect_agreement(std::move(e), kLength) ? 1 : 0;
        ++units;
        break;
      }
      if (HasFailure()) return;
    }
  EXPECT_GE(units, 50);
  EXPECT_GE(fused_graphs, 8) << "attention of every kind";
}

// Values over pairs that depend on s alone are kept once for all t. A normalisation or a maximum over s still
// sees a different set of positions for every t.
TEST(TorchAgrees, OnPairsThatAreTheSameForEveryT) {
  for (const char* formula :
       {"sum(softmax(past(z), over=s) * past(x), over=s)",
        "sum(softmax(past(z, 5), over=s) * past(x, 5), over=s)",
        "sum(softmax(tanh(past(z)) * 2, over=s) * past(x), over=s)",
        "sum(softmax(past(z) + z, over=s) * past(x), over=s)",
        "sum(softmax(past(z), over=s) * softmax(past(x), over=s), over=s)",
        "sum(softmax(softmax(past(z), over=s), over=s) * past(x), over=s)", "max(past(z), over=s) * x",
        "max(past(z, 4), over=s) * x", "sum(exp(past(z)) * past(x), over=s) / sum(exp(past(z)), over=s)",
        "sum(exp(tanh(past(z)) - max(past(z), over=s)) * past(x), over=s)"}) {
    SCOPED_TRACE(formula);
    const lang::ParseResult parsed = lang::parse(
        std::string(
            "unit Made(x: [t, D]) -> [t, D]:\n    z = linear(x, D)\n    p = param([D], init=normal(1))\n"
            "    return ") +
        formula + " * p\n");
    ASSERT_TRUE(parsed.errors.empty()) << parsed.errors[0].message;
    lang::Elaboration e = elaborated(parsed.program, edit::build::name("Made"), 16);
    if (HasFailure()) return;
    expect_agreement(std::move(e), 4);
    if (HasFailure()) return;
  }
}

// A floor next to a multiple needs a quotient that is rounded once: 41 times the rounded 1 / 41 is below 1.
TEST(TorchAgrees, OnQuotientsOfWholeNumbers) {
  constexpr std::int64_t kNumbers = 64;
  const std::string values =
      "unit Made(x: [t, D], y: [t, D]) -> [t, D]:\n    return x // y + 4096 * (x % y) + 0.5 * floor(floor(x) "
      "/ floor(y))";
  const lang::ParseResult by_values = lang::parse(values + "\n");
  ASSERT_TRUE(by_values.errors.empty());
  for (int divisor = -100; divisor <= 255; ++divisor) {
    if (divisor == 0) continue;
    SCOPED_TRACE(divisor);
    const lang::ParseResult by_number =
        lang::parse(fmt::format("unit Made(x: [t, D], y: [t, D]) -> [t, D]:\n    return x // {0} + 4096 * (x "
                                "% {0}) + 0.5 * floor(floor(x) / {0}) + 0 * y\n",
                                divisor));
    ASSERT_TRUE(by_number.errors.empty()) << by_number.errors[0].message;
    for (const lang::Program* program : {&by_values.program, &by_number.program}) {
      const lang::Elaboration e = elaborated(*program, edit::build::name("Made"), kNumbers);
      ASSERT_TRUE(e.ok());
      Sequences s = random_sequences(e, 1, 1, 1);
      std::vector<double> want;
      for (std::int64_t i = 0; i < kNumbers; ++i) {
        // A multiple of the divisor, or the number below it.
        const std::int64_t x = (i / 2) * divisor - i % 2;
        s.feeds[0].inputs[0].data[static_cast<std::size_t>(i)] = static_cast<double>(x);
        s.feeds[0].inputs[1].data[static_cast<std::size_t>(i)] = divisor;
        const std::int64_t rest = x % divisor,
                           whole = x / divisor - (rest != 0 && (rest < 0) != (divisor < 0) ? 1 : 0);
        want.push_back(1.5 * static_cast<double>(whole) + 4096 * static_cast<double>(x - whole * divisor));
      }
      const std::vector<ir::NodeId> wanted = e.outputs;
      EXPECT_EQ(exec::evaluate(e.graph, wanted, s.feeds[0], 1)[0].data, want);
      EXPECT_EQ(disagreement(e.graph, wanted, s, at::kFloat, 0), "");
      if (HasFailure()) return;
    }
  }
}

// `/` of whole numbers is the quotient also where it is not whole, infinite, or not a number, and where it is
// computed in the step of a scan.
TEST(TorchAgrees, OnQuotientsOfPositions) {
  constexpr std::int64_t kLength = 300;
  for (const bool in_scan : {false, true})
    for (const int divisor : {-41, -3, 0, 1, 3, 41, 47, 55, 61, 82}) {
      if (in_scan && divisor == 0) continue;  // What is not a number stays in the state.
      SCOPED_TRACE(fmt::format("{} in a scan: {}", divisor, in_scan));
      const std::string quotient = fmt::format("(position() - 82) / ({} + 0 * position())", divisor);
      const lang::ParseResult parsed = lang::parse(
          in_scan
              ? fmt::format("unit Made(x: [t, D]) -> [t, D]:\n    scan S: [D] = 0:\n        S = 0 * S + {}\n"
                            "    return S + 0 * x\n",
                            quotient)
              : fmt::format("unit Made(x: [t, D]) -> [t, D]:\n    return {} + 0 * x\n", quotient));
      ASSERT_TRUE(parsed.errors.empty()) << parsed.errors[0].message;
      const lang::Elaboration e = elaborated(parsed.program, edit::build::name("Made"), 1);
      ASSERT_TRUE(e.ok());
      const Sequences s = random_sequences(e, 1, kLength, 1);
      const std::vector<double> made = exec::evaluate(e.graph, e.outputs, s.feeds[0], kLength)[0].data;
      ASSERT_EQ(made.size(), static_cast<std::size_t>(kLength));
      for (std::int64_t t = 0; t < kLength; ++t) {
        const double want = static_cast<double>(t - 82) / divisor;
        const double got = made[static_cast<std::size_t>(t)];
        if (std::isnan(want)) continue;
        if (std::isinf(want) || want == std::floor(want)) {
          EXPECT_EQ(got, want) << t;
        } else {
          EXPECT_NEAR(got, want, 1e-12 * std::abs(want)) << t;
        }
      }
      if (divisor == 0) continue;
      EXPECT_EQ(disagreement(e.graph, e.outputs, s, at::kFloat, 1e-6), "");
    }
}

// A quotient that decides something is rounded once, wherever its operands come from.
TEST(TorchAgrees, OnQuotientsThatDecide) {
  constexpr std::int64_t kLength = 300;
  for (const char* body : {
           "    scan c: [] = 0:\n        c = c + 1\n        y = c\n    return floor(y / 41) + 0 * x\n",
           "    scan c: [] = 0:\n        c = c + 1\n        y = floor(c / 41)\n    return y + 0 * x\n",
           "    return sum(past(1 + 0 * x), over=s) // 41\n",
           "    return floor(sum(past(2 + 0 * x), over=s) / sum(past(1 + 0 * x), over=s) / 2)\n",
           "    return where(sum(past(1 + 0 * x), over=s) / 47 % 1 == 0, 1, 2)\n",
           "    return floor(x / max(x, over=D))\n",
           "    return floor(abs(x) / x)\n",
           "    return x * top_k(x / x, 2, over=D)\n",
           "    axis h = 4\n    return lookup(param([h], init=normal(1)), x / x, over=h) * x\n",
           "    y = x / x\n    return where(y == shift(y, 1), x, 1)\n",
           "    z = sum(past(x), over=s)\n    return sum(where(past(x) / past(x) == 1, 1, 0), over=s) * z\n",
           "    return maximum(x / max(x, over=D), 1) * x\n",
           // Through a product with a random value, which is 0 where the other factor is.
           "    axis h = 2\n    z = param([h], init=normal(1)) * (position() / 41 - 1)\n"
           "    return x * sum(where(z >= 0, z + 1, z), over=h)\n",
           "    axis h = 2\n    d = param([h], init=uniform(0.5, 2)) * (1 - lag() / 41)\n"
           "    return sum(sum(where(d >= 0, 1, 0), over=h) * past(x), over=s)\n",
           "    q = linear(x, D) * (position() / 41 - 1)\n    return where(linear(q, D) == 0, x, 1)\n",
           "    z = linear(x * (position() / 41 - 1), D)\n    return where(z == 0, x, 1)\n",
           "    axis j = 4\n    return x * sum(position() // 11 ** iota(j) % 11, over=j)\n",
           // Beside a random value.
           "    axis a = 2, b = 2, c = 4\n"
           "    level = concat(param([a], init=normal(1)), a, iota(b) * position() / 41, b, c)\n"
           "    return x * sum(level % 1, over=c)\n",
           "    z = shift(linear(x, D), 1) + position() / 41\n    return x * floor(z * (position() < 1) + "
           "1)\n",
           // Compared with a value that depends on the same random one.
           "    r = minimum(position() + 1, 107) / 107\n    return where(x * r == x, linear(x, D), x)\n",
           "    axis e = 2\n    r = minimum(position() + 1, 107) / 107\n"
           "    return x * take(top_k(x * where(iota(e) == 0, r, 1), 1, over=e), e, 0)\n",
           "    b = param([D], init=normal(1))\n"
           "    return x * where(b + minimum(position() + 1, 107) / 107 >= b + 1, 1, 0)\n",
           "    return x * floor(x * (minimum(position() + 1, 107) / 107) / x + 0.0)\n",
           "    scan c: [] = 0:\n        c = minimum(c + 1, 107)\n        y = where(x * (c / 107) == x, x, "
           "1)\n"
           "    return y\n",
           "    r = minimum(lag() + 1, 107) / 107\n"
           "    return sum(past(x) * where(past(x) * r >= past(x), 1, 0), over=s)\n",
           "    return where(x * (cumsum(1 + 0 * x) / (position() + 1)) == x, x, 1)\n",
           // Where values saturate.
           "    return x + floor((sigmoid(1e8 * linear(x, D)) * 40 + 1) / 41)\n",
           "    return x + cumsum(sigmoid(1e8 * linear(x, D))) // 41\n",
           "    return x + floor((41 + exp(-100 * exp(x))) / 41)\n",
           // At the end of the numbers for which a function is defined.
           "    r = minimum(position() + 1, 107) / 107\n    return x + sqrt(x * r - x + abs(x * r - x) + 0 * "
           "x)\n",
           "    r = minimum(position() + 1, 107) / 107\n    return where(1 / (x * r - x) > 1e30, x, 1)\n",
           "    n = position() + 1\n    return x * (1 + sqrt(log(n / minimum(n, 41))))\n",
           "    n = position() + 1\n    return x * (1 + (n / minimum(n, 41) - 1) ** 0.3)\n",
       }) {
    SCOPED_TRACE(body);
    const lang::ParseResult parsed = lang::parse(std::string("unit Made(x: [t, D]) -> [t, D]:\n") + body);
    ASSERT_TRUE(parsed.errors.empty()) << parsed.errors[0].message;
    const lang::Elaboration e = elaborated(parsed.program, edit::build::name("Made"), 8);
    ASSERT_TRUE(e.ok()) << e.errors[0].message;
    const Sequences s = random_sequences(e, 1, kLength, 1);
    EXPECT_EQ(disagreement(e.graph, e.outputs, s, at::kFloat, 1e-5), "");
  }
}

// Returns the graph as the CPU engine runs it.
ir::Graph rewritten(const ir::Graph& graph) {
  return ir::fuse(ir::convolve(ir::lower_recurrences(ir::with_reciprocals(graph)).graph));
}

lang::Elaboration made_of(const std::string& body) {
  const lang::ParseResult parsed = lang::parse("unit Made(x: [t, D]) -> [t, D]:\n" + body);
  EXPECT_TRUE(parsed.errors.empty()) << body;
  return elaborated(parsed.program, edit::build::name("Made"), 8);
}

// A quotient may equal the other operand of a maximum. Its last bit then decides which of the two gets the
// gradient.
TEST(TorchAgrees, OnGradientsOfQuotientsThatTie) {
  for (const char* body : {
           "    return minimum(x / m, 1) * linear(x, D)\n",
           "    return minimum(maximum(x / m, -1), 1) * linear(x, D)\n",
           "    return maximum(0.5 * abs(x / m), 0.5) * linear(x, D)\n",
           "    return max(minimum(x / m, 1), over=D) * linear(x, D)\n",
           "    axis k = 2, j = D + k\n"
           "    return linear(minimum(concat(x / m, D, linear(x, k), k, j), 1), D)\n",
           "    return minimum(shift(x / m, 1), 1) * linear(x, D)\n",
           "    return sum(minimum(past(x) / m, detach(max(past(x) / m, over=s))), over=s)\n",
       }) {
    SCOPED_TRACE(body);
    lang::Elaboration e = made_of(std::string("    m = detach(max(abs(x), over=D))\n") + body);
    ASSERT_TRUE(e.ok()) << e.errors[0].message;
    Sequences s = random_sequences(e, 2, 60, 1);
    ir::Graph lowered = rewritten(e.graph);
    const std::vector<ir::NodeId> lowered_wanted = gradient_nodes(lowered, lowered.bodies[0].outputs, 1);
    const std::vector<ir::NodeId> wanted = with_gradients(e, s);
    EXPECT_EQ(lowering_disagreement(e.graph, wanted, lowered, lowered_wanted, s, 1e-8, 1e-6), "");
  }
}

// ir::fuse moves no factor where a step depends on how the product is rounded: 28 times 1/28 is 1, and the
// sum of 28 times 1/28 is less.
TEST(TorchAgrees, OnProductsThatDecide) {
  constexpr std::int64_t kLength = 60;
  for (const int size : {19, 23, 27, 28, 31, 46}) {
    const std::string axis = fmt::format("    axis k = {}\n", size);
    for (const std::string& body : {
             axis + "    code = where(linear(x, k) * 0 >= 0, 1, -1)\n"
                    "    return sum(where(dot(code, past(code), over=k) * (1 / k) >= 1, 1, 0) * past(x), "
                    "over=s)\n",
             axis + "    code = where(linear(x, k) * 0 >= 0, 1, -1)\n"
                    "    weight = softmax(dot(code, past(code), over=k) * (1 / k) - 0.1 * lag(), over=s)\n"
                    "    return sum(where(weight == max(weight, over=s), 1, 0) * past(x), over=s)\n",
         }) {
      SCOPED_TRACE(body);
      const lang::Elaboration e = made_of(body);
      ASSERT_TRUE(e.ok());
      const Sequences s = random_sequences(e, 1, kLength, 1);
      const ir::Graph lowered = rewritten(e.graph);
      EXPECT_EQ(lowering_disagreement(e.graph, e.outputs, lowered, lowered.bodies[0].outputs, s, 1e-8, 0),
                "");
    }
  }
}

// No engine promises the sign of a zero that a maximum or a sum gives, so it decides nothing.
TEST(TorchAgrees, OnSignsOfZeros) {
  const std::string zeros =
      "    pz = position() // 100000\n    sign = where(position() % 2 == 0, pz, -pz)\n"
      "    z = where(x == 123.456, x, sign)\n    other = where(x > 0, z, -z)\n";
  for (const char* zero :
       {"max(past(z), over=s)", "max(past(z, 3), over=s)", "max(z, over=D)", "maximum(z, other)",
        "maximum(z, 0)", "minimum(z, 0)", "minimum(other, z)", "relu(z)", "abs(z)", "z + 0 * other",
        "sum(past(z, 3), over=s)", "sum(z, over=D)", "z * other", "z - other", "-z", "shift(z, 1)",
        "floor(z)", "where(other < 0, z, other)"})
    for (const char* inverse : {"1 / zero", "x / zero", "zero ** -1", "zero ** -3", "zero ** -0.5",
                                "zero ** -x", "x // zero", "1 / (1 / (1 / zero))", "exp(1 / zero)"}) {
      const std::string body = zeros + "    zero = " + zero + "\n    m = " + inverse + "\n";
      for (const char* result :
           {"    return where(m < 0, x, linear(x, D)) + 0 * other\n",
            "    scan S: [D] = 0:\n        S = where(m < S, 0.5 * S + x, x)\n    return S + "
            "0 * other + 0 * linear(x, D)\n"}) {
        SCOPED_TRACE(body + result);
        const lang::Elaboration e = made_of(body + result);
        ASSERT_TRUE(e.ok()) << e.errors[0].message;
        for (const std::int64_t length : {7, 70}) {
          const Sequences s = random_sequences(e, 2, length, 1);
          EXPECT_EQ(lowering_disagreement(e.graph, e.outputs, e.graph, e.outputs, s, 1e-8, 0), "")
              << "as written";
          const ir::Graph lowered = rewritten(e.graph);
          EXPECT_EQ(lowering_disagreement(e.graph, e.outputs, lowered, lowered.bodies[0].outputs, s, 1e-8, 0),
                    "");
        }
      }
    }
}

// Numbers that are not 0 in the reference are not 0 elsewhere, though they are smaller than ordinary ones.
TEST(TorchAgrees, OnResultsThatUnderflow) {
  for (const char* small :
       {"sigmoid(-720 * late)", "sigmoid(-700 * late)", "sigmoid(-760 * late)", "-silu(-720 * late)",
        "exp(368 * late) ** -2", "exp(300 * late) ** -2", "exp(380 * late) ** -2", "exp(-350 * late) ** -2",
        "exp(248 * late) ** -3", "exp(744 * late) ** -1", "exp(-720 * late)", "1 / exp(709 * late)"})
    for (const char* rest :
         {"    m = SMALL\n    return linear(x, D) * where(m > 0, 1, 0)\n",
          "    m = SMALL\n    scan S: [D] = 0:\n        S = where(m > 0, 0.5 * S + x, x)\n    return "
          "linear(S, D)\n",
          "    scan S: [D] = 0:\n        m = SMALL\n        S = where(m > 0, 0.5 * S + x, x)\n    return "
          "linear(S, D)\n"}) {
      std::string body = std::string("    late = where(position() >= 5, 1, 0)\n") + rest;
      body.replace(body.find("SMALL"), std::string_view("SMALL").size(), small);
      SCOPED_TRACE(body);
      const lang::Elaboration e = made_of(body);
      ASSERT_TRUE(e.ok()) << e.errors[0].message;
      const Sequences s = random_sequences(e, 2, 9, 1);
      EXPECT_EQ(lowering_disagreement(e.graph, e.outputs, e.graph, e.outputs, s, 1e-8, 0), "");
      const ir::Graph lowered = rewritten(e.graph);
      EXPECT_EQ(lowering_disagreement(e.graph, e.outputs, lowered, lowered.bodies[0].outputs, s, 1e-8, 0),
                "");
    }
}

// Recurrences that are lowered lie between a step and what decides it, with more of them than scans.
TEST(TorchAgrees, OnStepsAboveRecurrences) {
  for (const char* rest :
       {"    return where(y > max(y, over=D), x, y)\n", "    return y * top_k(y, 2, over=D)\n"}) {
    const lang::Elaboration e = made_of(
        std::string(
            "    axis h = 2, k = 3, v = 4\n    q = linear(x, [h, k])\n    w = linear(x, [h, v])\n"
            "    r = linear(x, [h, k])\n    a = sigmoid(linear(x, h))\n"
            "    scan S: [h, k, v] = 0, W: [h, k, v] = 0:\n        S = S * a + r * w\n"
            "        W = W * a + q * w\n        z = dot(q, S, over=k)\n        u = dot(r, W, over=k)\n"
            "    y = linear(z + u, D)\n") +
        rest);
    ASSERT_TRUE(e.ok()) << e.errors[0].message;
    const Sequences s = random_sequences(e, 2, 20, 1);
    const ir::Graph lowered = rewritten(e.graph);
    ASSERT_GT(lowered.affines.size(), lowered.scans.size());
    EXPECT_EQ(lowering_disagreement(e.graph, e.outputs, lowered, lowered.bodies[0].outputs, s, 1e-8, 0), "");
  }
}

// A state may be read by operands with axes that it lacks: several queries, as in multi-query attention.
TEST(TorchAgrees, OnReadsWithAxesThatAStateLacks) {
  const std::string head =
      "    axis h = 2, k = 3, v = 4\n    q = linear(x, [h, k])\n    val = linear(x, v)\n    r = linear(x, "
      "k)\n"
      "    g = linear(x, h)\n    a = sigmoid(linear(x, k))\n    scan W: [k, v] = 0:\n";
  for (const char* step : {
           "        W = W * 0.9 + r * val\n        y = dot(q, W, over=k)\n",
           "        W = W * a + r * val\n        y = dot(q, W, over=k)\n",
           "        y = dot(q, W, over=k)\n        W = W * 0.9 + r * val\n",
           "        W = W * 0.9 + r * (val - dot(r, W, over=k))\n        y = dot(q, W, over=k)\n",
           "        W = W + r * (val - dot(r, W, over=k))\n        y = dot(q, W, over=k) * g\n",
           "        W = W * 0.9 + r * val\n        y = dot(r, W, over=k) * g\n",
           "        W = W * 0.9 + r * val\n        y = dot(r, W, over=k) * g + dot(a, W, over=k)\n",
           "        W = W * 0.9 + r * val\n        y = g * (dot(r, W, over=k) + val)\n",
           "        W = W * a + r * val\n        y = sum(W * q, over=k)\n",
       }) {
    SCOPED_TRACE(step);
    lang::Elaboration e =
        made_of(head + step +
                "    return linear(y, D) + sum(g, over=h) + sum(a, over=k) + sum(r, over=k) + "
                "sum(q, over=[h, k])\n");
    ASSERT_TRUE(e.ok());
    Sequences s = random_sequences(e, 2, 12, 1);
    ir::Graph lowered = rewritten(e.graph);
    const std::vector<ir::NodeId> lowered_wanted = gradient_nodes(lowered, lowered.bodies[0].outputs, 1);
    const std::vector<ir::NodeId> wanted = with_gradients(e, s);
    EXPECT_EQ(lowering_disagreement(e.graph, wanted, lowered, lowered_wanted, s, 1e-8, 1e-4), "");
  }
}

// In single precision, the square of a denominator may overflow where its quotient has a gradient.
TEST(TorchAgrees, OnGradientsOfSmallAndLargeDenominators) {
  for (const int exponent : {-78, -50, -20, 20, 50, 78}) {
    lang::Elaboration e = made_of(fmt::format(
        "    w = exp(0.1 * past(x) + ({}))\n    return sum(w * past(x), over=s) / sum(w, over=s)\n",
        exponent));
    ASSERT_TRUE(e.ok());
    Sequences s = random_sequences(e, 2, 12, 1);
    ir::Graph lowered = rewritten(e.graph);
    const std::vector<ir::NodeId> lowered_wanted = gradient_nodes(lowered, lowered.bodies[0].outputs, 1);
    const std::vector<ir::NodeId> wanted = with_gradients(e, s);
    EXPECT_EQ(lowering_disagreement(e.graph, wanted, lowered, lowered_wanted, s, 1e-8, 1e-4), "") << exponent;
  }
}

void expect_random_units(std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = first; i < first + count; ++i) {
    Random random = Random(411).split(i);
    lang::Program program;
    const auto kind = random.chance(0.8) ? edit::UnitKind::kMixer : edit::UnitKind::kChannel;
    program.items.push_back(
        {edit::random_unit(random, kind, "Made", 3 + static_cast<int>(random.below(12))), {}, {}});
    lang::Expr instance = edit::build::name("Made");
    for (const lang::Hyper& h : std::get<lang::Unit>(program.items[0].value).hypers) {
      if (h.name == "heads") instance = edit::build::with(std::move(instance), "heads", edit::build::num(2));
      if (h.name == "state") instance = edit::build::with(std::move(instance), "state", edit::build::num(4));
    }
    SCOPED_TRACE("unit " + std::to_string(i) + "\n" + lang::print(program));
    expect_agreement(elaborated(program, instance, 16), 4);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(TorchAgrees, OnRandomUnits) { expect_random_units(0, 100); }
TEST(TorchAgrees, OnRandomUnitsSlow) { expect_random_units(100, 1000); }

}  // namespace
}  // namespace gabbro::testing
