// Tests random edits: every program that they return checks from its text, and the hash reflects every change
// of function.
#include "edit/vary.h"

#include <gtest/gtest.h>

#include "edit/generate.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "zoo/library.h"

namespace gabbro::edit {
namespace {

UnitCatalogue& catalogue() {
  static UnitCatalogue shared(zoo::library());
  return shared;
}

// Applies chains of random edits to random designs.
void expect_edits_check(std::uint64_t seed, int count) {
  Program program;
  std::vector<int> made(all_operators().size(), 0);
  for (int i = 0; i < count; ++i) {
    Random random = Random(seed).split(static_cast<std::uint64_t>(i));
    if (i % 20 == 0) program = random_program(random, catalogue(), {.unit_size = 8, .most_layers = 4});
    const std::size_t which = static_cast<std::size_t>(i) % all_operators().size();
    const std::string before = lang::print(program);
    auto child = vary(all_operators()[which], program, nullptr, catalogue(), random);
    ASSERT_EQ(lang::print(program), before) << "the argument changed";
    if (!child) continue;
    ++made[which];
    const std::string text = lang::print(*child);
    const lang::CheckReport report = lang::check(text, zoo::library());
    ASSERT_TRUE(report.valid()) << record::word_of(all_operators()[which]) << ": " << report.errors[0].message
                                << "\n"
                                << before << "\nbecame\n"
                                << text;
    ASSERT_EQ(lang::print(report.program), text);
    if (text.size() < 6000) program = std::move(*child);
  }
  for (std::size_t i = 0; i < made.size(); ++i)
    EXPECT_GT(made[i], count / 80) << record::word_of(all_operators()[i]) << " hardly ever succeeds";
}

TEST(Vary, ChildrenCheckFromTheirText) { expect_edits_check(1, 480); }
TEST(Vary, ChildrenCheckFromTheirTextSlow) { expect_edits_check(2, 8000); }

// A campaign uses the findings of the edit's check and does not check the child again.
TEST(Vary, ReturnsTheFindingsOfACheckOfTheChild) {
  Random parents(9);
  const Program program = random_program(parents, catalogue(), {.unit_size = 8, .most_layers = 4});
  for (const Operator op : all_operators())
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      Random random(seed), again(seed);
      const auto child = vary_checked(op, program, nullptr, catalogue(), random);
      const auto plain = vary(op, program, nullptr, catalogue(), again);
      ASSERT_EQ(child.has_value(), plain.has_value());
      if (!child) continue;
      EXPECT_EQ(lang::print(child->program), lang::print(*plain));
      const lang::CheckReport report = lang::check(lang::print(child->program), zoo::library());
      ASSERT_TRUE(report.valid());
      const lang::Subject& want = report.subjects.back();
      EXPECT_EQ(child->subject.hash, want.hash) << record::word_of(op);
      EXPECT_EQ(child->subject.facts.train_flops.key(), want.facts.train_flops.key());
      EXPECT_EQ(child->subject.elaboration.graph.bodies[0].nodes.size(),
                want.elaboration.graph.bodies[0].nodes.size());
    }
}

TEST(Vary, SameSeedSameChild) {
  for (const Operator op : all_operators()) {
    Random first(7), second(7);
    const Program p = random_program(first, catalogue()), q = random_program(second, catalogue());
    const auto a = vary(op, p, nullptr, catalogue(), first), b = vary(op, q, nullptr, catalogue(), second);
    ASSERT_EQ(a.has_value(), b.has_value()) << record::word_of(op);
    if (a) {
      EXPECT_EQ(lang::print(*a), lang::print(*b)) << record::word_of(op);
    }
  }
}

}  // namespace
}  // namespace gabbro::edit
