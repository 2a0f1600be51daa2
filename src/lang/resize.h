// Fits a design to a parameter budget by its width and its free hyperparameters.
#pragma once

#include <cstdint>

#include "lang/ast.h"
#include "lang/elaborate.h"
#include "lang/library.h"

namespace gabbro::lang {

struct Resized {
  std::int64_t width = 0;
  double free_scale = 1;  // factor on every hyperparameter marked `free`, to be given to elaborate()
  std::int64_t params = 0;
};

/// The width D (and, when no width alone comes close enough, the scale of the free hyperparameters, nearest to 1) at which
/// `design` with vocabulary `vocab` (0: its own) has `params` parameters to within 1 %. `library` holds the design's program.
/// Errors: "budget" with the nearest widths and what they give, and what would make it possible; errors of elaboration.
/// About 40 elaborations.
Result<Resized> resize(const Library& library, const Design& design, std::int64_t params,
                       std::int64_t vocab = 0);

}  // namespace gabbro::lang
