// The family tree: who descends from whom. The report and the dashboard draw the same one.
#pragma once

#include <cstdint>
#include <vector>

#include "evolve/population.h"

namespace gabbro::campaign {

/// A design as the tree has to know it.
struct FamilyMember {
  std::int64_t id = 0, parent = 0;
  int rung = -1;        // the highest with a score; -1: none
  double bits = 0;      // there
  double first = 0;     // at the first rung; 0: none
  bool known = false;   // a baseline or a control
  bool belongs = true;  // false: part of an ablation, which is not drawn
};
/// Returns what the tree has to know of all designs, in the order of their ids.
std::vector<FamilyMember> family_members(const evolve::Population& population);

/// A design that is drawn.
struct FamilyNode {
  std::int64_t id = 0, parent = 0;  // parent 0: none, or not drawn
  int column = 0;                   // number of its ancestors that are drawn
  double row = 0;  // leaves have whole numbers from 0; others are in the middle of their children
  bool is_leaf = true;
};
struct FamilyTree {
  std::vector<FamilyNode> nodes;  // in the order of their ids
  std::size_t all = 0;            // designs that could have been drawn
  int columns = 0, rows = 0;
};
/// Places the known designs and the best others, `limit` in all, with all their ancestors; of the descendants
/// of `root` only, if it is not 0. The best children and roots come first. `members` is in the order of
/// ids 1, 2, ... O(n log n).
FamilyTree family_tree(const std::vector<FamilyMember>& members, std::int64_t root, std::size_t limit);

}  // namespace gabbro::campaign
