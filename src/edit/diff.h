// Compares two programs as changes of their trees.
#pragma once

#include <string>
#include <vector>

#include "lang/ast.h"

namespace gabbro::edit {

/// One change. `item` names the unit, design, function or interface ("unit GLA"). `place` is the position in
/// it: the name that a statement assigns ("y"), "signature", or a path in the tree of a design
/// ("stack.0.*.mixer"). `before` and `after` are texts, of the first and of the second program; `before` is
/// empty for an addition and `after` for a removal.
struct Change {
  std::string item;
  std::string place;
  std::string before, after;
  // Positions in the texts of the two programs. Of an addition to a unit's statements, `at_before` is empty
  // (line 0), and of a removal `at_after`.
  Position at_before, at_after;
};

/// Returns the changes that lead from `a` to `b`, in the order of `b`. Items are matched by name (units that
/// share half of their statements count as renamed), and statements by a minimal alignment; expressions are
/// reduced to the smallest that differ. Comments and layout are ignored. Empty if both trees are equal.
/// O(statements^2 of a unit).
std::vector<Change> diff(const lang::Program& a, const lang::Program& b);

}  // namespace gabbro::edit
