// The designs that no other beats in everything.
#pragma once

#include <cstdint>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

/// Ids of the designs done at `rung` (baselines included) that no other one there beats in bits per byte,
/// decoding FLOPs and training FLOPs at once, sorted by bits. O(designs x front).
std::vector<std::int64_t> pareto_front(const Population& population, int rung);

}  // namespace gabbro::evolve
