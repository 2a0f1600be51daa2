// Tests that randomly generated units have the properties of the zoo.
#include <gtest/gtest.h>

#include "edit/build.h"
#include "edit/generate.h"
#include "lang/printer.h"
#include "zoo/library.h"
#include "zoo/properties.h"

namespace gabbro::testing {
namespace {

// A random unit at a width at which float64 loops are fast.
struct RandomUnit {
  lang::Program program;
  lang::Elaboration elaboration;
};

RandomUnit random_unit(std::uint64_t index) {
  Random random = Random(2312).split(index);
  RandomUnit out;
  const auto kind = random.chance(0.8) ? edit::UnitKind::kMixer : edit::UnitKind::kChannel;
  const int size = 3 + static_cast<int>(random.below(12));
  out.program.items.push_back({edit::random_unit(random, kind, "Made", size), {}, {}});
  lang::Library library = zoo::library();
  EXPECT_TRUE(library.add(out.program).empty());
  lang::ElaborateOptions options;
  options.width = 16;
  lang::Expr instance = edit::build::name("Made");
  for (const lang::Hyper& h : std::get<lang::Unit>(out.program.items[0].value).hypers) {
    if (h.name == "heads") instance = edit::build::with(std::move(instance), "heads", edit::build::num(2));
    if (h.name == "state") instance = edit::build::with(std::move(instance), "state", edit::build::num(4));
  }
  out.elaboration = lang::elaborate(library, instance, options);
  EXPECT_TRUE(out.elaboration.ok()) << lang::print(out.program);
  return out;
}

// Expects the properties of the zoo of the random units first ... first + count - 1.
void expect_properties(std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = first; i < first + count; ++i) {
    const RandomUnit unit = random_unit(i);
    SCOPED_TRACE("unit " + std::to_string(i) + "\n" + lang::print(unit.program));
    expect_step_equals_parallel(unit.elaboration, 6);
    expect_causal(unit.elaboration, 6);
    // Differences may straddle a kink (relu, maximum) for one set of inputs; a wrong gradient is wrong for
    // all.
    std::string violation = gradient_violation(unit.elaboration, 4, 1);
    for (std::uint64_t seed = 2; seed < 5 && !violation.empty(); ++seed)
      violation = gradient_violation(unit.elaboration, 4, seed);
    EXPECT_EQ(violation, "");
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(RandomUnits, StepCausalityGradient) { expect_properties(0, 500); }
TEST(RandomUnits, StepCausalityGradientSlow) { expect_properties(500, 12000); }

}  // namespace
}  // namespace gabbro::testing
