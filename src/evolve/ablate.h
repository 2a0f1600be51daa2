// A winner with one of its parts reverted or removed: why it wins.
#pragma once

#include <string>
#include <vector>

#include "evolve/population.h"
#include "lang/library.h"

namespace gabbro::evolve {

struct Ablation {
  std::string what;  // "stack.0.*.mixer: GLA(heads=2) removed"
  lang::Program program;
};

/// One ablation for each written place of the design's tree (repetitions count once): where its ancestor
/// among the baselines or fresh designs had something else at the same path, that is put back; else the place
/// goes to its default or is removed. Ablations of one structure, those that do not check, and those that are
/// the design itself are left out. The largest parts first, by the operations that go with them. O(places)
/// checks.
std::vector<Ablation> ablations(const lang::Program& program, const lang::Program* ancestor,
                                const lang::Library& library);

}  // namespace gabbro::evolve
