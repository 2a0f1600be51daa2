// Ablations of a winner: variants with one part reverted or removed, which show what its lead rests on.
#pragma once

#include <string>
#include <vector>

#include "evolve/population.h"
#include "lang/library.h"

namespace gabbro::evolve {

/// The maximum number of ablations that a campaign trains. It takes the first ones of `ablations` and records
/// how many are left out.
constexpr int kMostAblations = 24;

/// A variant of a design.
struct Ablation {
  std::string what;  // the part and what happened to it, for example "stack.0.*.mixer: GLA(heads=2) removed"
  lang::Program program;
};

/// Returns one ablation for each place of the design's tree that the program writes out; a repetition counts
/// once. If `ancestor` (the design that the winner descends from; null: none) has something else at the same
/// path, the place is reverted to that. Otherwise the place is set to its default or removed. The function
/// leaves out ablations of equal structure, ablations that do not pass the checker, designs that do not mix
/// tokens, and the design itself. The result is sorted by the number of graph operations that the change adds
/// or removes, largest first. It calls the checker O(places) times. Requires a program that passes the
/// checker.
std::vector<Ablation> ablations(const lang::Program& program, const lang::Program* ancestor,
                                const lang::Library& library);

}  // namespace gabbro::evolve
