// Random edits of the text of one unit; private to src/edit.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "edit/vary.h"

namespace gabbro::edit {

/// Returns the error of an operator that has no place to apply to.
inline tl::unexpected<Error> no_room(std::string_view what) {
  return fail("edit", "the design has no " + std::string(what));
}

/// Does the same as adopt() without its check, for callers that edit further and check the result. `name`
/// receives the name of the copy.
Result<Program> adopt_unchecked(const Program& program, const Library& library, const std::string& path,
                                std::string& name);

/// Applies a text operator (kReplaceExpression or a later one) to `unit`, a unit that the program defines
/// itself.
Result<Program> vary_text(Operator op, const Program& program, const Against& against,
                          const std::string& unit, Random& random);

}  // namespace gabbro::edit
