// The depth of a design at a rung: deeper models on higher rungs, from one program.
#pragma once

#include "lang/ast.h"

namespace gabbro::evolve {

/// `program` with every repetition `n * X` of its design made `factor` times as long, to the nearest whole number of at least 1. Only numbers that are written as
/// such; what stands once stays.
lang::Program deepened(const lang::Program& program, double factor);

/// How often the design's longest repetition is turned, nested ones multiplied; 1 without any.
int repetitions(const lang::Program& program);

}  // namespace gabbro::evolve
