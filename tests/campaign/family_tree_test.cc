// The family tree: which designs are drawn, and where.
#include "campaign/family_tree.h"

#include <gtest/gtest.h>

#include "campaign/record_builder.h"

namespace gabbro::campaign {
namespace {

// 1 (a baseline) has the children 2 and 3; 4 descends from 2; 5 is a root of its own.
std::vector<FamilyMember> family() {
  return {{.id = 1, .rung = 0, .bits = 2.5, .first = 2.5, .known = true},
          {.id = 2, .parent = 1, .rung = 0, .bits = 2.9, .first = 2.9},
          {.id = 3, .parent = 1, .rung = 0, .bits = 2.6, .first = 2.6},
          {.id = 4, .parent = 2, .rung = 1, .bits = 2.2, .first = 2.4},
          {.id = 5}};
}

TEST(FamilyTree, PutsTheBestChildFirstAndParentsBetweenTheirChildren) {
  const FamilyTree tree = family_tree(family(), 0, 100);
  EXPECT_EQ(tree.all, 5U);
  EXPECT_EQ(tree.columns, 3);
  EXPECT_EQ(tree.rows, 3);
  ASSERT_EQ(tree.nodes.size(), 5U);
  const auto at = [&](std::size_t id) {
    return std::pair{tree.nodes[id - 1].column, tree.nodes[id - 1].row};
  };
  // 2 is worse than 3, but its child is better.
  EXPECT_EQ(at(4), std::pair(2, 0.0));
  EXPECT_EQ(at(2), std::pair(1, 0.0));
  EXPECT_EQ(at(3), std::pair(1, 1.0));
  EXPECT_EQ(at(1), std::pair(0, 0.5));
  EXPECT_EQ(at(5), std::pair(0, 2.0)) << "a design without a score comes last";
}

TEST(FamilyTree, DrawsTheBestWithTheirAncestors) {
  const FamilyTree tree = family_tree(family(), 0, 2);  // the baseline, and the design of the highest rung
  ASSERT_EQ(tree.nodes.size(), 3U);
  EXPECT_EQ(tree.nodes[1].id, 2);
  EXPECT_EQ(tree.nodes[2].id, 4);
  EXPECT_EQ(tree.all, 5U);
  const FamilyTree below = family_tree(family(), 2, 100);
  ASSERT_EQ(below.nodes.size(), 2U);
  EXPECT_EQ(below.nodes[0].parent, 0) << "nothing is drawn above the root";
  EXPECT_EQ(below.all, 2U);
}

TEST(FamilyTree, DeepFamiliesNeedNoDeepStack) {
  std::vector<FamilyMember> line;
  for (std::int64_t id = 1; id <= 200'000; ++id) line.push_back({.id = id, .parent = id - 1});
  const FamilyTree tree = family_tree(line, 0, 200'000);
  EXPECT_EQ(tree.columns, 200'000);
  EXPECT_EQ(tree.rows, 1);
}

TEST(FamilyTree, IsReadFromAPopulationWithoutAblations) {
  const std::vector<FamilyMember> all = family_members(whole_campaign().population());
  ASSERT_EQ(all.size(), 9U);
  EXPECT_TRUE(all[0].known);
  EXPECT_EQ(all[4].rung, 2);
  EXPECT_DOUBLE_EQ(all[4].first, 2.4);
  EXPECT_FALSE(all[8].belongs);
}

}  // namespace
}  // namespace gabbro::campaign
