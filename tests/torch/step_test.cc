// Tests of steps of recurrences as instructions: every op within a step agrees with the reference, forward
// and backward; and which steps have programs.
#include "exec/torch/step_program.h"

#define GABBRO_KERNEL_NAMESPACE functions_of_kernels  // the namespace of kernel_functions.h here
#include <gtest/gtest.h>
#include "exec/torch/kernel_functions.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "edit/build.h"
#include "exec/torch/plan.h"
#include "exec/torch/processor.h"
#include "exec/torch/region_program.h"
#include "exec/torch/replay.h"
#include "ir/op.h"
#include "lang/parser.h"
#include "torch/agree.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

// The number of scans of a graph, and how many of them have a program.
struct ScanCount {
  int scans = 0, with_program = 0;
};

ScanCount count_scans(const ir::Graph& graph) {
  ScanCount out;
  for (const ir::Node& node : graph.bodies[0].nodes) {
    if (node.op != ir::Op::kScan) continue;
    ++out.scans;
    out.with_program +=
        exec::torch::StepProgram::make(graph, 0, graph.scans[static_cast<std::size_t>(node.index)])
            .has_value();
  }
  return out;
}

// Returns a unit whose step computes `value` from x, y: [D] and z: [h, k], all of which depend on the
// previous step. The elaboration is not ok if `value` cannot stand in a step.
lang::Elaboration stepped(const std::string& value) {
  const std::string text =
      "unit Sample(a: [t, D], b: [t, D]) -> [t, D]:\n    axis h = 2, k = 3, j = 3, w = h * k * j\n"
      "    c = linear(a, [h, k])\n    p = param([D], init=0.5)\n"
      "    scan S: [D] = 0, Z: [h, k] = 0:\n        x = a + S\n        y = b - S\n        z = c + Z\n"
      "        value = " +
      value +
      "\n        S = tanh(x + sum(value * value) * p)\n        Z = sin(z + sum(y) * 0.1)\n"
      "        out = S + sum(Z)\n    return out + 0 * w * h * k * j\n";
  const lang::ParseResult parsed = lang::parse(text);
  if (!parsed.errors.empty()) return {};
  lang::Library library = zoo::library();
  if (!library.add(parsed.program).empty()) return {};
  return lang::elaborate(library, edit::build::name("Sample"), {.width = 6});
}

constexpr int kLength = 7;

TEST(StepPrograms, AgreeOnEveryOpWithinAStep) {
  int samples = 0;
  std::set<std::string> ops_without_program;
  for (const ir::OpInfo& op : ir::all_ops()) {
    std::stringstream list{std::string(op.samples)};
    for (std::string sample; std::getline(list, sample, ';');) {
      SCOPED_TRACE(std::string(op.name) + ": " + sample);
      const lang::Elaboration e = stepped(sample);
      if (!e.ok()) continue;  // Ops that read other positions cannot be in a step.
      if (count_scans(e.graph).with_program == 0) ops_without_program.insert(std::string(op.name));
      expect_agreement(e, kLength);
      ++samples;
    }
  }
  EXPECT_GE(samples, 40);
  EXPECT_EQ(ops_without_program, (std::set<std::string>{"lookup", "topk"}));
}

// Tables in a step: shared by all sequences or one for each, with an index that is shared or differs.
TEST(StepPrograms, AgreeOnTablesThatStatesChange) {
  for (const char* value :
       {"lookup(z, position() / 3, over=h)", "lookup(z, sum(y), over=h)", "lookup(z * 0 + 1, sum(c), over=h)",
        "lookup(param([h, D], init=normal(1)), sum(y), over=h)", "lookup(z, y, over=h)",
        "lookup(param([h, D], init=normal(1)) + sum(y), position() / 3, over=h)"}) {
    SCOPED_TRACE(value);
    const lang::Elaboration e = stepped(value);
    ASSERT_TRUE(e.ok());
    expect_agreement(e, kLength);
  }
}

// The range of float32 is covered up to its end. e^88.5 is 2^127.7, which overflows if the two halves of its
// exponent are multiplied first.
TEST(StepPrograms, ExponentialsAreExactToTheEndOfTheRange) {
  for (const char* value : {"exp(88.5 + 0.001 * tanh(x)) * 1e-38", "exp(0.001 * tanh(x) - 87) * 1e37"}) {
    SCOPED_TRACE(value);
    const lang::Elaboration e = stepped(value);
    ASSERT_TRUE(e.ok());
    ASSERT_GT(count_scans(e.graph).with_program, 0);
    expect_agreement(e, kLength);
  }
}

// Calls f(elaboration) for every unit of the zoo that can be elaborated alone.
template <class F>
void for_each_unit(F f) {
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items) {
      const auto* unit = std::get_if<lang::Unit>(&item.value);
      if (!unit) continue;
      SCOPED_TRACE(unit->name);
      lang::Elaboration e = lang::elaborate(zoo::library(), edit::build::name(unit->name), {.width = 64});
      if (e.ok()) f(std::move(e));
    }
}

// No recurrence silently falls back to calls of ATen.
TEST(StepPrograms, ExistForEveryRecurrenceOfTheZoo) {
  int recurrent = 0;
  for_each_unit([&](lang::Elaboration e) {
    if (e.graph.scans.empty()) return;
    Sequences s = random_sequences(e, 1, 2, 3);
    with_gradients(e, s);
    const ScanCount count = count_scans(e.graph);
    EXPECT_EQ(count.with_program, count.scans);
    ++recurrent;
  });
  EXPECT_GE(recurrent, 20);
}

// Large states are recomputed from checkpoints. The cases include documents that begin between checkpoints,
// more than two segments, and initial states that are not 0.
TEST(StepPrograms, AgreeWhereStatesAreReplayed) {
  for (const char* instance : {"Titans(heads=1)", "TTTLinear(heads=1)", "TTTMLP(heads=2)"}) {
    SCOPED_TRACE(instance);
    lang::Elaboration e = lang::elaborate(zoo::library(), *lang::parse_expression(instance), {.width = 48});
    ASSERT_TRUE(e.ok());
    {
      lang::Elaboration differentiated = e;
      Sequences s = random_sequences(differentiated, 1, 2, 3);
      const std::vector<ir::NodeId> wanted = with_gradients(differentiated, s);
      const std::vector<bool> live = ir::live_nodes(differentiated.graph, 0, wanted);
      const exec::torch::Replays replays = exec::torch::find_replays(
          differentiated.graph, live, wanted, /*runs=*/[](ir::NodeId) { return true; });
      ASSERT_EQ(replays.adjoints.size(), 1U);
      const std::vector<std::int32_t>& states = replays.adjoints.begin()->second.states;
      EXPECT_GE(std::count_if(states.begin(), states.end(), [](std::int32_t k) { return k >= 0; }), 2);
    }
    expect_agreement(std::move(e), 37);
  }
}

// The same check for regions that are computed position by position, with their gradients, except for tables.
TEST(RegionPrograms, ExistForEveryUnitOfTheZoo) {
  int regions = 0;
  for_each_unit([&](lang::Elaboration e) {
    Sequences s = random_sequences(e, 1, 2, 3);
    const std::vector<ir::NodeId> wanted = with_gradients(e, s);
    const exec::torch::Plan plan =
        exec::torch::make_plan(e.graph, ir::live_nodes(e.graph, 0, wanted), wanted, {});
    const std::vector<ir::Node>& nodes = e.graph.bodies[0].nodes;
    for (const exec::torch::Region& region : plan.regions) {
      if (region.pairs || region.nodes.empty()) continue;
      ++regions;
      const bool has_table = std::any_of(region.nodes.begin(), region.nodes.end(), [&](ir::NodeId id) {
        const ir::Op op = nodes[static_cast<std::size_t>(id)].op;
        return op == ir::Op::kTopK || op == ir::Op::kLookup || op == ir::Op::kScatter;
      });
      EXPECT_EQ(exec::torch::RegionProgram::make(e.graph, nodes, region).has_value(), !has_table);
    }
  });
  EXPECT_GE(regions, 60);
}

// The kernels for an instruction set that this processor supports.
struct Family {
  const char* name;
  void (*run)(const exec::torch::Instruction*, std::int64_t, float* const*);
};
std::vector<Family> families() {
  std::vector<Family> out{{"plain", exec::torch::step_plain::run_step}};
#if defined(__x86_64__)
  if (exec::torch::kAvx2) out.push_back({"avx2", exec::torch::step_avx2::run_step});
  if (exec::torch::kAvx512) out.push_back({"avx512", exec::torch::step_avx512::run_step});
#endif
  return out;
}

using Code = exec::torch::Instruction::Code;

// Returns about one unit in the last place of a float32 near `exact`: 2^-23 of it, but at least the smallest
// denormal.
double unit_in_the_last_place(double exact) { return std::max(std::abs(exact) * 1.2e-7, 1.4e-45); }

// Compares the functions with those of the float64 library, in units in the last place: as compiled for each
// instruction set, in full and partial vectors, and up to the ends of their range.
TEST(KernelFunctions, AreExactToAFewUnitsInTheLastPlaceOnEveryProcessor) {
  struct Case {
    Code code;
    const char* name;
    double (*exact)(double);
    float low, high;
    double units = 2.5;  // largest error, in units in the last place
  };
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const Case cases[] = {
      {Code::kExp, "exp", [](double x) { return std::exp(x); }, -87, 88.7F},
      {Code::kExp, "exp, too small for full precision", [](double x) { return std::exp(x); }, -103, -87},
      {Code::kLog, "log", [](double x) { return std::log(x); }, 1e-6F, 3},
      {Code::kLog, "log of large numbers", [](double x) { return std::log(x); }, 1e30F, 3e38F},
      {Code::kLog, "log of small numbers", [](double x) { return std::log(x); }, 1e-44F, 1e-37F},
      {Code::kSigmoid, "sigmoid", sigmoid, -80, 80, 4},
      {Code::kSoftplus, "softplus",
       [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }, -80, 80, 4},
      {Code::kTanh, "tanh", [](double x) { return std::tanh(x); }, -12, 12},
      {Code::kTanh, "tanh near 0", [](double x) { return std::tanh(x); }, -1e-3F, 1e-3F},
      {Code::kErf, "erf", [](double x) { return std::erf(x); }, -8, 8},
      {Code::kErf, "erf near 0", [](double x) { return std::erf(x); }, -1e-2F, 1e-2F},
  };
  constexpr int kSteps = 200'003;  // no multiple of a vector; the first three values are special
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Family& family : families())
    for (const Case& c : cases) {
      SCOPED_TRACE(std::string(family.name) + ": " + c.name);
      std::vector<float> x(kSteps), y(kSteps);
      for (int i = 0; i < kSteps; ++i) x[i] = c.low + (c.high - c.low) * (static_cast<float>(i) / kSteps);
      const float special[] = {std::nanf(""), kInfinity, -kInfinity};
      std::copy(std::begin(special), std::end(special), x.begin());
      exec::torch::Instruction instruction{.code = c.code, .loops = 1};
      instruction.size[0] = kSteps;
      instruction.out = {.base = 1, .stride = {1}};
      instruction.in[0].stride[0] = 1;
      float* const bases[] = {x.data(), y.data()};
      family.run(&instruction, 1, bases);
      EXPECT_TRUE(std::isnan(y[0])) << y[0];
      for (const int k : {1, 2})
        EXPECT_TRUE(std::isnan(c.exact(x[k])) ? std::isnan(y[k]) : y[k] == c.exact(x[k]))
            << y[k] << " of " << x[k];
      double worst = 0;
      float where = 0;
      for (int k = 3; k < kSteps; ++k) {
        const double exact = c.exact(x[k]);
        const double error = std::abs(y[k] - exact) / unit_in_the_last_place(exact);
        if (!(error <= worst)) worst = error, where = x[k];
      }
      EXPECT_LE(worst, c.units) << " of " << where;
    }
}

// Near 0, the sum 1 + x has lost x.
TEST(KernelFunctions, LogarithmOf1PlusXIsExactToAFewUnitsInTheLastPlace) {
  namespace f = exec::torch::functions_of_kernels;
  struct Case {
    const char* name;
    float (*computed)(float);
    double (*exact)(double);
    float low, high;
  };
  const Case cases[] = {
      {"log1p", [](float x) { return f::logarithm_of_1_and(x); }, [](double x) { return std::log1p(x); }, 0,
       1},
      {"log1p near 0", [](float x) { return f::logarithm_of_1_and(x); },
       [](double x) { return std::log1p(x); }, 0, 1e-5F},
  };
  constexpr int kSteps = 200'000;
  for (const Case& c : cases) {
    double worst = 0;
    float where = 0;
    for (int i = 0; i <= kSteps; ++i) {
      const float x = c.low + (c.high - c.low) * (static_cast<float>(i) / kSteps);
      const double exact = c.exact(x);
      const double error = std::abs(c.computed(x) - exact) / unit_in_the_last_place(exact);
      if (!(error <= worst)) worst = error, where = x;
    }
    EXPECT_LE(worst, 2.5) << c.name << " of " << where;
  }
  for (const Case& c : cases) EXPECT_TRUE(std::isnan(c.computed(std::nanf("")))) << c.name;
}

}  // namespace
}  // namespace gabbro::testing
