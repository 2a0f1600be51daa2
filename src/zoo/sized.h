// A program at the size that it is trained at.
#pragma once

#include <cstdint>
#include <string>

#include "lang/check.h"

namespace gabbro::zoo {

/// The last design of the program with a vocabulary of `vocab` pieces, resized to `params` parameters (0: as
/// written). Errors: those of check and resize; "design" when the program has none.
Result<lang::Subject> sized_design(const std::string& program, std::int64_t params, int vocab);

}  // namespace gabbro::zoo
