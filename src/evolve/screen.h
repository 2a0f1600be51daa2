// The screen: checks that an offspring must pass before anything is trained.
#pragma once

#include "evolve/population.h"
#include "evolve/strategy.h"
#include "lang/library.h"

namespace gabbro::evolve {

/// Returns the design of `offspring` with its identities, its species, and its costs at the size of the first
/// rung. The caller fills in id, attempt and strategy. The result depends on the arguments alone.
///
/// Errors are counted by cause:
/// - "duplicate": a known design has this structure at every rung;
/// - "no mixing": at some rung it reads no earlier token, or almost nothing of it;
/// - "size": it cannot be made as large as some rung, deepened; the message has the nearest sizes;
/// - "cost": beyond SearchSettings::limits, or more work than the screen may do;
/// - "same function": it trains like a known design, which is named;
/// - "not finite", "no gradient": found by running it at a small width (exec/reference/screen.h);
/// - causes of the checker.
///
/// Work: some 50 elaborations for each rung, each of at most ElaborateOptions::max_nodes. Runs of the
/// reference engine are costed before they begin (exec/reference/predicted_cost.h) and refused as "cost"
/// beyond the bounds of exec/reference/screen.cc. Comparisons with known designs of the same fingerprint take
/// at most evolve::kMostOperations a pass; beyond that the designs count as different
/// (DesignCreated::undecided).
Result<record::DesignCreated> screen(const Offspring& offspring, const Population& population,
                                     const lang::Library& library);

/// Does the same for a given design, such as a baseline, without refusing it for its costs, its gradients or
/// its mixing, or because it is known. Errors: "size" if it cannot be made as large as the first rung;
/// "design" if the program contains none; those of the checker. At later rungs without a size, it has no
/// hashes.
Result<record::DesignCreated> measure(const lang::Program& program, const SearchSettings& settings,
                                      const lang::Library& library);

/// Returns the training FLOPs per token of a design at a rung, deepened and resized for it. Errors: "size".
Result<double> train_flops_at(const lang::Program& program, const Rung& rung, const SearchSettings& settings,
                              const lang::Library& library);

/// Returns the name of the known design that equals `created`, as measured, by one of its identities; "" if
/// there is none.
std::string find_equal(const record::DesignCreated& created, const Population& population,
                       const lang::Library& library);

}  // namespace gabbro::evolve
