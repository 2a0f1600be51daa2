// Fits a design to a parameter budget by its width, its free hyperparameters, or other values of its integer
// hyperparameters.
#pragma once

#include <cstdint>
#include <vector>

#include "lang/ast.h"
#include "lang/elaborate.h"
#include "lang/library.h"

namespace gabbro::lang {

struct Resized {
  std::int64_t width = 0;
  double free_scale = 1;    // factor on every hyperparameter marked `free`
  std::vector<Move> moves;  // of integer hyperparameters; empty if width and scale suffice
  std::int64_t params = 0;
};

/// Returns the size at which `design` with vocabulary size `vocab` (0: its own) has `params` parameters to
/// within 1 %. The search tries, in this order:
/// - a width D;
/// - with it, the scale of the free hyperparameters nearest to 1;
/// - another value of one integer hyperparameter (`Move`), the nearest by factor, with or without a scale;
/// - moves of two, then of three hyperparameters;
/// - a scale that keeps inner widths divisible, also with all hyperparameters of one name (heads) halved.
/// Moves stay in the ranges of the signature and keep every unit and every parameter: the depth never
/// changes, nor does a hyperparameter on which no size depends. `library` holds the design's program. The
/// result depends only on the arguments. Errors: "budget" with the nearest widths, their sizes, and what
/// would make the budget possible, such as which hyperparameters could be `free`; errors of elaboration. The
/// search seldom elaborates more than 20 times, mostly fewer than 10, and its error up to 12 times more; it
/// starts no elaboration after four million operations.
Result<Resized> resize(const Library& library, const Design& design, std::int64_t params,
                       std::int64_t vocab = 0);

/// Returns the options that elaborate a design at the size found for it with this vocabulary size.
ElaborateOptions options_at(const Resized& size, std::int64_t vocab);

}  // namespace gabbro::lang
