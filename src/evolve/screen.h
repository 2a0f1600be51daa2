// What an offspring must pass before anything is trained.
#pragma once

#include "evolve/population.h"
#include "evolve/strategy.h"
#include "lang/library.h"

namespace gabbro::evolve {

/// The design that `offspring` is at the size of the first rung, with its identity, species and costs; id, attempt and arm are the caller's to
/// fill in. Errors, each a cause that is counted: "duplicate" (a design of this structure is known), "no mixing" (it reads no earlier token), "size" (it
/// cannot be made as large as the first rung or, deepened, as one above, with the nearest sizes), "cost" (beyond Settings::limits, as multiples of the most expensive baseline),
/// "same function" (as a known design, by its fingerprint), "not finite", "no gradient" (what exec/reference/screen.h finds by running it small), or that of the checker. Some 50
/// elaborations, most of them for the size; duplicates cost one.
Result<record::DesignBorn> screen(const Offspring& offspring, const Population& population,
                                  const lang::Library& library);

/// The same for a design that is given, a baseline: without limits, and known ones pass.
Result<record::DesignBorn> measure(const lang::Program& program, const Settings& settings,
                                   const lang::Library& library);

}  // namespace gabbro::evolve
