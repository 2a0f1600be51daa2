// A program at a rung: deeper models on higher rungs, from one program, and no more positions than its texts
// have.
#pragma once

#include <cstdint>

#include "lang/ast.h"

namespace gabbro::evolve {

/// `program` with every repetition `n * X` of its designs made `factor` times as long, to the nearest whole
/// number of at least 1; of nested ones the outer, and the inner by what rounding leaves: [2 * [3 * X, Y]]
/// becomes [4 * [3 * X, Y]], or [1 * [2 * X, Y]] by a third. Only numbers that are written as such; what
/// stands once stays.
lang::Program deepened(const lang::Program& program, double factor);

/// `program` with its longest repetition turned `blocks` times; 0: as written.
lang::Program with_blocks(const lang::Program& program, std::int64_t blocks);

/// `program` with a table of `length` positions wherever its designs' stacks hold a bare `LearnedPosition`,
/// whose table has 1024: rows that no text reaches would be parameters that the others spend on their width.
lang::Program with_positions(const lang::Program& program, std::int64_t length);

/// A known design as a rung trains it: `blocks` of its longest repetition (0: as written), and a table of
/// `length` positions.
lang::Program as_baseline(const lang::Program& program, std::int64_t blocks, std::int64_t length);

/// How often the last design's longest repetition is turned, nested ones multiplied; 1 without any.
int repetitions(const lang::Program& program);

}  // namespace gabbro::evolve
