// Adapts a program to a rung: higher rungs train deeper models from the same program, and position tables
// hold no more positions than the rung's texts.
#pragma once

#include <cstdint>

#include "lang/ast.h"

namespace gabbro::evolve {

/// Returns `program` with every repetition `n * X` of its designs multiplied by `factor`, rounded to an
/// integer of at least 1. For nested repetitions the outer one takes the factor, and the inner ones take what
/// rounding leaves of it: by 2, [2 * [3 * X, Y]] becomes [4 * [3 * X, Y]]; by a third, it becomes [1 * [2 *
/// X, Y]]. Only literal counts change; units that are not repeated stay as they are.
lang::Program deepened(const lang::Program& program, double factor);

/// Returns `program` with its longest repetition run `blocks` times; unchanged if `blocks` is 0.
lang::Program with_blocks(const lang::Program& program, std::int64_t blocks);

/// Returns `program` with a position table of `length` entries wherever the stack of a design holds a bare
/// `LearnedPosition`. The default table has 1024 entries. Entries that no text reaches would use up
/// parameters that other designs spend on their width.
lang::Program with_positions(const lang::Program& program, std::int64_t length);

/// Returns a known design as a rung trains it, with `blocks` iterations of its longest repetition (0:
/// unchanged) and a position table of `length` entries.
lang::Program as_baseline(const lang::Program& program, std::int64_t blocks, std::int64_t length);

/// Returns the iterations of the longest repetition of the last design, with nested ones multiplied; 1 if
/// there is none.
int repetitions(const lang::Program& program);

}  // namespace gabbro::evolve
