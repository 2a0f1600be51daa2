// Tests of lowered recurrences: which form each state gets, and that torch on the lowered graph agrees with
// the reference on the original graph, forward and backward.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "edit/build.h"
#include "edit/generate.h"
#include "ir/facts.h"
#include "ir/recurrences.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "torch/agree.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

lang::Elaboration unit(const std::string& instance, std::int64_t width = 16) {
  return elaborated({}, *lang::parse_expression(instance), width);
}

// Returns a mixer over x: [t, D] with one scan. `values` are the statements before it, `states` its head,
// `body` its statements, and `result` the value that is projected to the output.
lang::Elaboration scan_unit(const std::string& values, const std::string& states, const std::string& body,
                            const std::string& result, const std::string& axes = "axis h = 2, k = 4, v = 4") {
  const std::string text = "unit Made(x: [t, D]) -> [t, D]:\n    " + axes + "\n" + values + "    scan " +
                           states + ":\n" + body + "    return linear(" + result + ", D)\n";
  const lang::ParseResult parsed = lang::parse(text);
  for (const Error& error : parsed.errors) ADD_FAILURE() << format_error("unit", error) << "\n" << text;
  return elaborated(parsed.program, edit::build::name("Made"), 8);
}

const std::string kInputs =
    "    q = linear(x, [h, k])\n    key = linear(x, [h, k])\n    val = linear(x, [h, v])\n";

// Returns one letter per state of the scans of a graph: S step form, D diagonal, A affine.
std::string forms(const ir::LoweredRecurrences& lowered) {
  std::string out;
  for (const ir::LoweredState& state : lowered.states) out += "SDA"[static_cast<int>(state.form)];
  return out;
}

// Expects that the lowered graph agrees with the original one. A `float_tolerance` of 0 leaves out float32.
void expect_same(lang::Elaboration e, int sequences, int length, double float_tolerance = kFloatTolerance) {
  ASSERT_TRUE(e.ok());
  ir::LoweredRecurrences lowered = ir::lower_recurrences(e.graph);
  const Result<bool> verified = ir::verify(lowered.graph);
  ASSERT_TRUE(verified.has_value()) << verified.error().message;
  std::vector<ir::NodeId> outputs;
  for (const ir::NodeId id : e.outputs) outputs.push_back(lowered.map[id]);
  Sequences s = random_sequences(e, sequences, length, 3);
  const auto inputs = static_cast<int>(s.feeds[0].inputs.size());
  const std::vector<ir::NodeId> wanted = with_gradients(e, s);
  const std::vector<ir::NodeId> lowered_wanted = gradient_nodes(lowered.graph, outputs, inputs);
  const Result<bool> differentiated = ir::verify(lowered.graph);
  ASSERT_TRUE(differentiated.has_value()) << differentiated.error().message;
  EXPECT_EQ(lowering_disagreement(e.graph, wanted, lowered.graph, lowered_wanted, s, kDoubleTolerance,
                                  float_tolerance),
            "");
}

struct Case {
  const char* unit;
  const char* forms;
  const char* why;
};

// Every unit of the zoo with a recurrence.
constexpr Case kZoo[] = {
    {"LinearAttention", "AD", "the normaliser has no value axis"},
    {"Retention", "A", "a fixed decay per head"},
    {"Mamba2", "A", "a decay per head"},
    {"GLA", "A", "a decay per key channel"},
    {"HGRN2", "A", "a decay per key channel, 1 - decay as the key"},
    {"RWKV6", "A", "reads before the update"},
    {"GSA", "AA",
     "decays per value channel, then per key channel; the second is read at what the first gives"},
    {"DeltaNet", "A", "one rank-1 term"},
    {"GatedDeltaNet", "A", "a decay per head before the rank-1 term"},
    {"DeltaProduct", "A", "two rank-1 terms"},
    {"DeltaProduct(steps=3)", "A", "three rank-1 terms"},
    {"Comba", "A", "the removed key differs from the written one"},
    {"KDA", "A", "a decay per key channel before the rank-1 term"},
    {"RWKV7", "A", "a decay per key channel beside the rank-1 term"},
    {"MLSTM", "ADS", "the running maximum is no linear recurrence; given it, the memory is"},
    {"Mamba", "A", "a decay per channel and state that is e to an outer product"},
    {"RGLRU", "D", "the state itself leaves the step"},
    {"RWKV4", "DDS", "as MLSTM"},
    {"SLSTM", "SSSS", "its gates see the previous output through a matrix and a tanh"},
    {"Titans", "SS", "two memories that read each other"},
    {"TTTLinear", "SS", "the inner gradient passes a norm"},
    {"TTTMLP", "SSSS", "the inner model is not linear"},
};

TEST(Recurrences, OfTheZoo) {
  for (const Case& c : kZoo) {
    SCOPED_TRACE(c.unit);
    const lang::Elaboration e = unit(c.unit);
    ASSERT_TRUE(e.ok());
    const ir::LoweredRecurrences lowered = ir::lower_recurrences(e.graph);
    std::string reasons;
    for (const ir::LoweredState& state : lowered.states) reasons += state.reason + "; ";
    EXPECT_EQ(forms(lowered), c.forms) << c.why << "; " << reasons;
  }
}

TEST(Recurrences, LargeDiagonalStatesKeepTheirSteps) {
  const std::string body = "        S = sigmoid(val) * S + val\n        y = S * dot(q, key, over=k)\n";
  const lang::Elaboration e = scan_unit(kInputs, "S: [h, v] = 0", body, "y");
  ASSERT_TRUE(e.ok());  // The state has 2 * 4 elements.
  EXPECT_EQ(forms(ir::lower_recurrences(e.graph, {.diagonal = 8})), "D");
  EXPECT_EQ(forms(ir::lower_recurrences(e.graph, {.diagonal = 7})), "S");
}

// The table lists every unit of the zoo that has its own scan.
TEST(Recurrences, TableIsComplete) {
  std::map<std::string, bool> named;
  for (const Case& c : kZoo) named[std::string(c.unit).substr(0, std::string(c.unit).find('('))] = true;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items) {
      const auto* u = std::get_if<lang::Unit>(&item.value);
      if (!u) continue;
      bool scans = false;
      for (const lang::Stmt& stmt : u->body) scans = scans || stmt.kind == lang::Stmt::Kind::kScan;
      EXPECT_TRUE(!scans || named[u->name]) << u->name << " is not in the table";
    }
}

// Lengths of one segment of the adjoint (16), one less and one more, and a third segment.
TEST(Recurrences, AgreeOnTheZoo) {
  for (const Case& c : kZoo) {
    if (std::string(c.forms).find_first_not_of('S') == std::string::npos) continue;
    for (const int length : {1, 3, 15, 16, 17, 35}) {
      SCOPED_TRACE(std::string(c.unit) + ", length " + std::to_string(length));
      // MLSTM divides by a sum that nearly vanishes at some positions. Retention normalises its sum, which at
      // the first position is one value times q·k, so the gradient of q is a difference of nearly equal
      // values. Both need a larger tolerance.
      const std::string name = c.unit;
      expect_same(unit(c.unit), 3, length,
                  name == "MLSTM" || name == "Retention" ? 5 * kFloatTolerance : kFloatTolerance);
      if (HasFailure()) return;
    }
  }
}

// Columns beyond one block and rows beyond one vector, both in full and partial blocks.
TEST(Recurrences, AgreeOnWideStates) {
  for (const char* axes :
       {"axis h = 1, k = 17, v = 40", "axis h = 2, k = 3, v = 1", "axis h = 1, k = 1, v = 33"})
    for (const char* body :
         {"        S = sigmoid(val) * S + key * val\n        y = dot(q, S, over=k)\n",
          "        r = dot(key, S, over=k)\n        S = sigmoid(key) * S + 0.1 * key * (val - dot(q, S, "
          "over=k)) + q * "
          "val\n        y = r * dot(q, S, over=k)\n",
          "        S = tanh(key) * sigmoid(val) * S + key * val + q * (1 - val) + sigmoid(q) * val\n"
          "        y = dot(q, S, over=k)\n"}) {
      SCOPED_TRACE(std::string(axes) + "\n" + body);
      lang::Elaboration e = scan_unit(kInputs, "S: [h, k, v] = 0", body, "y", axes);
      ASSERT_TRUE(e.ok());
      EXPECT_EQ(forms(ir::lower_recurrences(e.graph)), "A");
      expect_same(std::move(e), 2, 35);
      if (HasFailure()) return;
    }
}

// A decay of exp(-50) next to one of nearly 1: nothing overflows and nothing is lost.
TEST(Recurrences, AgreeAtStrongAndWeakDecays) {
  const std::string update = "        S = a * S + key * val\n        y = dot(q, S, over=k)\n";
  const std::string delta =
      "        S = a * S\n        S = S + 0.2 * key * (val - dot(key, S, over=k))\n        y = dot(q, S, "
      "over=k)\n";
  for (const std::string& body : {update, delta})
    for (const char* decay :
         {"exp(-50 * sigmoid(linear(x, h)))", "exp(-50 * sigmoid(linear(x, [h, k])))",
          "exp(-0.0001 * sigmoid(linear(x, [h, k])))", "exp(-50 + 0 * linear(x, h))",
          "exp(-50 * floor(sigmoid(linear(x, h)) + 0.5))", "1 - sigmoid(linear(x, [h, k]))"}) {
      SCOPED_TRACE(std::string(decay) + "\n" + body);
      lang::Elaboration e = scan_unit(kInputs + "    a = " + decay + "\n", "S: [h, k, v] = 0", body, "y");
      EXPECT_EQ(forms(ir::lower_recurrences(e.graph)), "A");
      expect_same(std::move(e), 2, 37);
      if (HasFailure()) return;
    }
}

// Other forms of the same recurrences, and steps that are not affine recurrences.
TEST(Recurrences, OfOtherSteps) {
  struct Step {
    const char* states;
    const char* body;
    const char* forms;
  };
  const Step steps[] = {
      // The value side decays.
      {"S: [h, k, v] = 0", "        S = sigmoid(val) * S + key * val\n        y = dot(q, S, over=k)\n", "A"},
      // Both sides decay.
      {"S: [h, k, v] = 0",
       "        S = sigmoid(val) * sigmoid(key) * S + key * val\n        y = dot(q, S, over=k)\n", "A"},
      // A sum of products is written to S, and S is read before and after.
      {"S: [h, k, v] = 0",
       "        r = dot(key, S, over=k)\n        S = S + key * val + sigmoid(key) * (1 - val)\n"
       "        y = r * dot(q, S, over=k)\n",
       "A"},
      // A decay that may be negative, with and without a rank-1 term.
      {"S: [h, k, v] = 0", "        S = tanh(key) * S + key * val\n        y = dot(q, S, over=k)\n", "A"},
      {"S: [h, k, v] = 0",
       "        S = tanh(key) * S + 0.1 * key * dot(key, S, over=k) + key * val\n        y = dot(q, S, "
       "over=k)\n",
       "A"},
      // A decay for each element of the state: e to an outer product with a constant slope. The slope comes
      // from a parameter, along some axes, or per head.
      {"S: [h, k, v] = 0",
       "        S = exp(-sigmoid(val) * exp(param([k, v], init=0.1))) * S + key * val\n        y = dot(q, S, "
       "over=k)\n",
       "A"},
      {"S: [h, k, v] = 0",
       "        r = dot(key, S, over=k)\n        S = S * exp(0.2 * val * iota(k)) + key * val + 0.1 * key\n"
       "        y = r + dot(q, S, over=k) + val\n",
       "A"},
      {"S: [h, k, v] = 0",
       "        S = key * val + exp(-sigmoid(sum(val, over=v)) * param([h, k, v], init=0.3)) * S\n"
       "        y = dot(q, S, over=k)\n",
       "A"},
      // The same with a slope that changes, or with a scaled decay. With a rank-1 term, the values share
      // axes.
      {"S: [h, k, v] = 0",
       "        S = exp(-sigmoid(key * val)) * S + key * val\n        y = dot(q, S, over=k)\n", "D"},
      {"S: [h, k, v] = 0",
       "        S = 0.5 * (exp(-sigmoid(val) * iota(k)) * S) + key * val\n        y = dot(q, S, over=k)\n",
       "D"},
      {"S: [h, k, v] = 0",
       "        S = exp(-sigmoid(val) * iota(k)) * S + 0.1 * key * dot(key, S, over=k)\n"
       "        y = dot(q, S, over=k) + val\n",
       "A"},
      // The state is only updated through itself, so it stays zero.
      {"S: [h, k, v] = 0",
       "        S = S - 0.1 * key * dot(key, S, over=k)\n        y = dot(q, S, over=k) + val\n", "A"},
      // The whole state is an output; the initial state is not zero; the step is nonlinear.
      {"S: [h, v] = 0", "        S = sigmoid(val) * S + val\n        y = S * dot(q, key, over=k)\n", "D"},
      {"S: [h, v] = 1", "        S = sigmoid(val) * S + val\n        y = S * dot(q, key, over=k)\n", "D"},
      {"S: [h, k, v] = 1", "        S = sigmoid(key) * S + key * val\n        y = dot(q, S, over=k)\n", "D"},
      {"S: [h, v] = 0", "        S = tanh(val + S)\n        y = S * dot(q, key, over=k)\n", "S"},
      // The second state reads the first one's output.
      {"S: [h, k, v] = 0, W: [h, k, v] = 0",
       "        S = 0.9 * S + key * val\n        r = dot(q, S, over=k)\n"
       "        W = W + key * (r - dot(key, W, over=k)) * 0.1\n        y = dot(q, W, over=k)\n",
       "AA"},
      // A nonlinear state drives a linear one.
      {"S: [h, k, v] = 0, m: [h] = 0",
       "        m = tanh(m + sum(key, over=k))\n        S = sigmoid(m) * S + key * val\n"
       "        y = dot(q, S, over=k) * m\n",
       "AS"},
      // A state without a value axis, a read with one more axis, and an invariant key.
      {"z: [h, k] = 0", "        z = 0.5 * z + key\n        y = dot(q, z, over=k) * val\n", "D"},
      {"S: [k, v] = 0", "        S = 0.5 * S + sum(key * val, over=h)\n        y = dot(q, S, over=k)\n", "D"},
      {"S: [h, k, v] = 0",
       "        S = 0.9 * S + sigmoid(iota(k)) * val\n"
       "        y = dot(iota(k) * 0.1, S, over=k) * dot(q, key, over=k)\n",
       "A"},
  };
  for (const Step& step : steps) {
    SCOPED_TRACE(std::string(step.states) + "\n" + step.body);
    lang::Elaboration e = scan_unit(kInputs, step.states, step.body, "y");
    ASSERT_TRUE(e.ok());
    const ir::LoweredRecurrences lowered = ir::lower_recurrences(e.graph);
    EXPECT_EQ(forms(lowered), step.forms) << (lowered.states.empty() ? "" : lowered.states[0].reason);
    for (const int length : {4, 11}) expect_same(e, 3, length);
    if (HasFailure()) return;
  }
}

void expect_random_units(std::uint64_t first, std::uint64_t count, int fewest_lowered) {
  int lowered_units = 0;
  for (std::uint64_t i = first; i < first + count; ++i) {
    Random random = Random(412).split(i);
    lang::Program program;
    program.items.push_back(
        {edit::random_unit(random, edit::UnitKind::kMixer, "Made", 3 + static_cast<int>(random.below(12))),
         {},
         {}});
    lang::Expr instance = edit::build::name("Made");
    for (const lang::Hyper& h : std::get<lang::Unit>(program.items[0].value).hypers) {
      if (h.name == "heads") instance = edit::build::with(std::move(instance), "heads", edit::build::num(2));
      if (h.name == "state") instance = edit::build::with(std::move(instance), "state", edit::build::num(4));
    }
    SCOPED_TRACE("unit " + std::to_string(i) + "\n" + lang::print(program));
    lang::Elaboration e = elaborated(program, instance, 16);
    if (forms(ir::lower_recurrences(e.graph)).find_first_of("AD") == std::string::npos) continue;
    ++lowered_units;
    expect_same(std::move(e), 2, 6, /*float_tolerance=*/0);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(lowered_units, fewest_lowered);
}

TEST(Recurrences, AgreeOnRandomUnits) { expect_random_units(0, 300, 20); }
TEST(Recurrences, AgreeOnRandomUnitsSlow) { expect_random_units(300, 2000, 130); }

}  // namespace
}  // namespace gabbro::testing
