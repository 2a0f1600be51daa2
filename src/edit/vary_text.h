// Random edits of the text of one unit; private to src/edit.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "edit/vary.h"

namespace gabbro::edit {

/// The error of an operator that finds nothing to work on.
inline tl::unexpected<Error> no_room(std::string_view what) {
  return fail("edit", "the design has no " + std::string(what));
}

/// adopt() without its check, for edits that follow and are checked; `name` gets the name of the copy.
Result<Program> adopt_unchecked(const Program& program, const Library& library, const std::string& path,
                                std::string& name);

/// Applies one of the text operators (kReplaceExpression and after) to `unit`, one of the program's own.
Result<Program> vary_text(Operator op, const Program& program, const Against& against,
                          const std::string& unit, Random& random);

}  // namespace gabbro::edit
