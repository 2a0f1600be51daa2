// What an offspring must pass before anything is trained.
#pragma once

#include "evolve/population.h"
#include "evolve/strategy.h"
#include "lang/library.h"

namespace gabbro::evolve {

/// The design that `offspring` is at the size of the first rung, with its identities, species and costs; id,
/// attempt and strategy are the caller's to fill in. Errors, each a cause that is counted: "duplicate" (a
/// known design has this structure at every rung), "no mixing" (at a rung it reads no earlier token, or next
/// to nothing of it), "size" (it cannot be made as large as a rung, deepened, with the nearest sizes), "cost"
/// (beyond Settings::limits, as multiples of the most expensive baseline, or more work than the screen may
/// do), "same function" (it trains as a known design does, which is named), "not finite", "no gradient" (what
/// exec/reference/screen.h finds by running it small with the structure of its trained width), or that of the
/// checker. A function of its arguments. Work: some 50 elaborations for each rung, of at most
/// ElaborateOptions::max_nodes; runs of the reference engine that are counted before they begin
/// (exec/reference/work.h) and refused as "cost" beyond the bounds of exec/reference/screen.cc; comparisons
/// with each known design of one fingerprint within evolve::kMostOperations a pass, else they count as
/// different (DesignCreated::undecided).
Result<record::DesignCreated> screen(const Offspring& offspring, const Population& population,
                                     const lang::Library& library);

/// The same for a design that is given, a baseline: without limits, and known ones pass.
Result<record::DesignCreated> measure(const lang::Program& program, const Settings& settings,
                                      const lang::Library& library);

/// The name of the known design that `created`, as measured, equals by one of its identities; "" when there
/// is none.
std::string equal_known(const record::DesignCreated& created, const Population& population,
                        const lang::Library& library);

}  // namespace gabbro::evolve
