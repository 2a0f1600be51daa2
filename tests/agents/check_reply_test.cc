// Errors of the coder's replies: all of them, with lines of the reply, or the name and line of another unit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agents/coder.h"
#include "agents/replies.h"
#include "lang/parser.h"
#include "zoo/library.h"

namespace gabbro::agents {
namespace {

std::vector<lang::Item> items(const std::string& text) {
  lang::ParseResult parsed = lang::parse(text);
  EXPECT_TRUE(parsed.errors.empty()) << text;
  return std::move(parsed.program.items);
}

UnitCandidate judged(const std::string& reply, const std::string& name, const std::string& written) {
  PlannedUnit unit;
  unit.name = name;
  unit.inputs = {"x"};
  return check_reply(reply, unit, Proposal{}, Base{}, items(written), /*is_last=*/false, zoo::library());
}

constexpr const char* kInner =
    "\n\nunit Inner(x: [t, D], heads: int in {1 .. 64} = 4) -> [t, D]:\n"
    "    axis h = heads, k = D / heads\n"
    "    return linear(linear(x, [h, k]), D)\n";

TEST(CheckReply, AnErrorInAnotherUnitNamesItAndQuotesItsLine) {
  const UnitCandidate c = judged(
      "unit Outer(x: [t, D]) -> [t, D]:\n    y = silu(x)\n    return Inner(y, heads=48)\n", "Outer", kInner);
  ASSERT_EQ(c.errors.size(), 1U);
  EXPECT_EQ(describe_errors(c.errors, c.text),
            "error[shape]: in Inner, which stays as it is (`axis h = heads, k = D / heads`): axis k has size "
            "0.0208333·D = 5.333333333333333 (in Inner, called on line 3)\n"
            "hint: sizes are whole numbers: choose hyperparameters that divide the width, or use //\n");
}

TEST(CheckReply, AnErrorInTheReplyQuotesTheReply) {
  // The unit that is rewritten no longer has the hyperparameter that another passes.
  const UnitCandidate c =
      judged("unit Inner(x: [t, D]) -> [t, D]:\n    return linear(x, D)\n", "Inner",
             std::string(kInner) + "\nunit Outer(x: [t, D]) -> [t, D]:\n    return Inner(x, heads=2)\n");
  ASSERT_EQ(c.errors.size(), 1U);
  EXPECT_EQ(c.errors[0].at, Position{});
  EXPECT_EQ(c.errors[0].message,
            "in Outer, which stays as it is (`return Inner(x, heads=2)`): Inner has no hyperparameter or "
            "slot heads");
}

TEST(CheckReply, AllErrorsOfAUnitAreShown) {
  std::string reply = "unit Many(x: [t, D]) -> [t, D]:\n";
  for (int i = 0; i < 8; ++i) reply += fmt::format("    y{0} = linear(x, k{0})\n", i);
  reply += "    return y0 + y1 + y2 + y3 + y4 + y5 + y6 + y7\n";
  const UnitCandidate c = judged(reply, "Many", kInner);
  EXPECT_EQ(c.errors.size(), 8U);
  for (int i = 0; i < static_cast<int>(c.errors.size()); ++i) EXPECT_EQ(c.errors[i].at.line, 2 + i);
}

TEST(CheckReply, SignsAreReadAsAscii) {
  const UnitCandidate c =
      judged("unit Signs(x: [t, D]) → [t, D]:\n\ty = 2 × x − linear(x, D)\n\treturn y\n", "Signs", kInner);
  EXPECT_TRUE(c.valid()) << describe_errors(c.errors, c.text);
  EXPECT_EQ(c.text, "unit Signs(x: [t, D]) -> [t, D]:\n    y = 2 * x - linear(x, D)\n    return y\n");
}

}  // namespace
}  // namespace gabbro::agents
