// Fits a design to a parameter budget by its width, its free hyperparameters, or other values of its
// whole-number ones.
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
  std::vector<Move> moves;  // of whole-number hyperparameters; empty where width and scale do
  std::int64_t params = 0;
};

/// The size at which `design` with vocabulary `vocab` (0: its own) has `params` parameters to within 1 %: a
/// width D; where none comes close enough, the scale of the free hyperparameters, nearest to 1, with it;
/// where that does not reach, another value of one whole-number hyperparameter (`Move`), the nearest by
/// factor, with or without a scale; then of two, then of three; then a scale that keeps what must divide an
/// inner width, also with all hyperparameters of one name (heads) halved. Moves stay in the ranges of the
/// signature and keep every unit and every parameter: depth never moves, nor what no size depends on.
/// `library` holds the design's program. A function of its arguments. Errors: "budget" with the nearest
/// widths and what they give, and what would make it possible; errors of elaboration. Elaborations: seldom
/// more than 20, mostly fewer than 10; none is begun once they have made four million operations.
Result<Resized> resize(const Library& library, const Design& design, std::int64_t params,
                       std::int64_t vocab = 0);

/// What elaborates a design at the size that was found for it with this vocabulary.
ElaborateOptions options_at(const Resized& size, std::int64_t vocab);

}  // namespace gabbro::lang
