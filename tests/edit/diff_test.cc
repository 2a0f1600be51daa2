// Tests the tree diff: which changes it reports, and how small they are.
#include "edit/diff.h"

#include <gtest/gtest.h>

#include "edit/generate.h"
#include "edit/vary.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "zoo/library.h"

namespace gabbro::edit {
namespace {

constexpr const char* kBase =
    R"(unit Mine(x: [t, D], heads: int in {1, 2, 4} = 2, norm: Unit = RMSNorm) -> [t, D]:
    axis h = heads, k = D / heads
    q = linear(x, [h, k])
    a = sigmoid(linear(x, h))
    scan S: [h, k] = 0:
        S = a * S + q
        y = S * q
    return linear(norm(y, over=k), D)

design M:
    width = 64
    stack = [4 * Block(mixer=Mine(heads=4)), RMSNorm]
)";

// Returns kBase with `from` replaced by `to`.
std::string changed(const std::string& from, const std::string& to) {
  std::string text = kBase;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// Returns the changes from a to b, one a line: item | place | before | after.
std::string changes(const std::string& a, const std::string& b) {
  const auto before = lang::parse(a), after = lang::parse(b);
  EXPECT_TRUE(before.errors.empty() && after.errors.empty());
  std::string out;
  for (const Change& c : diff(before.program, after.program))
    out += c.item + " | " + c.place + " | " + c.before + " | " + c.after + "\n";
  return out;
}

TEST(Diff, EqualTreesHaveNoChanges) {
  EXPECT_EQ(changes(kBase, kBase), "");
  EXPECT_EQ(changes(kBase, "# a comment\n" + std::string(kBase)), "");
  EXPECT_EQ(changes(kBase, changed("    q = linear", "    # why\n    q  =  linear")), "");
}

TEST(Diff, FindsTheSmallestExpression) {
  EXPECT_EQ(changes(kBase, changed("sigmoid(linear(x, h))", "tanh(linear(x, h))")),
            "unit Mine | a | sigmoid(linear(x, h)) | tanh(linear(x, h))\n");
  EXPECT_EQ(changes(kBase, changed("linear(x, h)", "linear(q, h)")), "unit Mine | a | x | q\n");
  EXPECT_EQ(changes(kBase, changed("y = S * q", "y = S + q")), "unit Mine | y | S * q | S + q\n");
  EXPECT_EQ(changes(kBase, changed("scan S: [h, k] = 0", "scan S: [h, k] = 1")),
            "unit Mine | scan S | 0 | 1\n");
}

TEST(Diff, AlignsStatements) {
  EXPECT_EQ(changes(kBase, changed("    a = sig", "    b = silu(q)\n    a = sig")),
            "unit Mine | b |  | b = silu(q)\n");
  EXPECT_EQ(changes(changed("    a = sig", "    b = silu(q)\n    a = sig"), kBase),
            "unit Mine | b | b = silu(q) | \n");
}

TEST(Diff, SeesSignatures) {
  EXPECT_EQ(changes(kBase, changed("heads: int in {1, 2, 4} = 2", "heads: int in {1, 2, 4, 8} = 2")),
            "unit Mine | heads | heads: int in {1, 2, 4} = 2 | heads: int in {1, 2, 4, 8} = 2\n");
  EXPECT_EQ(changes(kBase, changed(", norm: Unit = RMSNorm", "")),
            "unit Mine | norm | norm: Unit = RMSNorm | \n");
}

TEST(Diff, WalksTheTreeOfADesign) {
  EXPECT_EQ(changes(kBase, changed("heads=4", "heads=2")), "design M | stack.0.*.mixer.heads | 4 | 2\n");
  EXPECT_EQ(changes(kBase, changed("4 * Block", "6 * Block")), "design M | stack.0 | 4 turns | 6 turns\n");
  EXPECT_EQ(changes(kBase, changed("mixer=Mine(heads=4)", "mixer=GLA, mlp=MLP")),
            "design M | stack.0.*.mixer | Mine(heads=4) | GLA\ndesign M | stack.0.*.mlp |  | MLP\n");
  EXPECT_EQ(changes(kBase, changed(", RMSNorm]", ", GLA, RMSNorm]")), "design M | stack.1 |  | GLA\n");
  EXPECT_EQ(changes(kBase, changed("width = 64", "width = 128")), "design M | width | 64 | 128\n");
}

TEST(Diff, RecognisesRenamedUnits) {
  EXPECT_EQ(
      changes("unit A(x: [t, D]) -> [t, D]:\n    return x\n", "unit B(x: [t, D]) -> [t, D]:\n    return x\n"),
      "unit B | name | A | B\n");
  std::string other = changed("unit Mine", "unit Yours");
  other.replace(other.find("S * q"), 5, "S + q");
  other.replace(other.find("Mine(heads"), 4, "Yours");
  EXPECT_EQ(changes(kBase, other),
            "design M | stack.0.*.mixer | Mine(heads=4) | Yours(heads=4)\n"
            "unit Yours | name | Mine | Yours\nunit Yours | y | S * q | S + q\n");
}

TEST(Diff, EveryRandomEditShows) {
  UnitCatalogue catalogue(zoo::library());
  int shown = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Random random = Random(5).split(i);
    const lang::Program parent = random_program(random, catalogue, {.most_layers = 3});
    EXPECT_TRUE(diff(parent, parent).empty());
    const auto child = vary(all_operators()[i % all_operators().size()], parent, nullptr, catalogue, random);
    if (!child) continue;
    ++shown;
    EXPECT_FALSE(diff(parent, *child).empty()) << lang::print(parent) << "\nand\n" << lang::print(*child);
  }
  EXPECT_GT(shown, 70);
}

}  // namespace
}  // namespace gabbro::edit
