// Builds a program at the size at which it is trained.
#pragma once

#include <cstdint>
#include <string>

#include "lang/check.h"

namespace gabbro::zoo {

/// Returns the last design of the program with a vocabulary size of `vocab` tokens, resized to `params`
/// parameters (0: as written). Errors: those of check and resize; "design" if the program has no design.
Result<lang::Subject> sized_design(const std::string& program, std::int64_t params, int vocab);

}  // namespace gabbro::zoo
