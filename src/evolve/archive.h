// The Pareto front of a campaign's designs.
#pragma once

#include <cstdint>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

/// Returns the ids of the designs done at `rung`, baselines included, that no other design there dominates in
/// bits per byte, decoding FLOPs and training FLOPs. Ids are sorted by bits per byte. O(designs x front).
std::vector<std::int64_t> pareto_front(const Population& population, int rung);

}  // namespace gabbro::evolve
