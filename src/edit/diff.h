// What separates two programs, as changes of their trees.
#pragma once

#include <string>
#include <vector>

#include "lang/ast.h"

namespace gabbro::edit {

/// One change. `item` names the unit, design, function or interface ("unit GLA"); `place` where in it: the
/// name a statement assigns ("y"), "signature", or the path of the tree of a design ("stack.0.*.mixer").
/// `before` and `after` are texts, one of them empty for what was added or removed.
struct Change {
  std::string item;
  std::string place;
  std::string before, after;
  Position at_before, at_after;
};

/// The changes that lead from `a` to `b`, in the order of b: items are matched by name (units that share half
/// of their statements, as renamed), statements by a minimal alignment, expressions down to the smallest that
/// differ. Comments and layout are not seen. Empty when both are the same tree. O(statements^2 of a unit).
std::vector<Change> diff(const lang::Program& a, const lang::Program& b);

}  // namespace gabbro::edit
