// The depth of a design at a rung: deeper models on higher rungs, from one program.
#pragma once

#include <cstdint>

#include "lang/ast.h"

namespace gabbro::evolve {

/// `program` with every repetition `n * X` of its designs made `factor` times as long, to the nearest whole number of at least 1; of nested ones the outer, and
/// the inner by what rounding leaves: [2 * [3 * X, Y]] becomes [4 * [3 * X, Y]], or [1 * [2 * X, Y]] by a third. Only numbers that are written as such; what stands once stays.
lang::Program deepened(const lang::Program& program, double factor);

/// `program` with its longest repetition turned `blocks` times; 0: as written.
lang::Program with_blocks(const lang::Program& program, std::int64_t blocks);

/// How often the last design's longest repetition is turned, nested ones multiplied; 1 without any.
int repetitions(const lang::Program& program);

}  // namespace gabbro::evolve
