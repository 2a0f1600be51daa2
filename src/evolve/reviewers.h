// How well reviewers foresee: their probabilities held against what happened.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

struct Reviewer {
  std::string model;
  int scored = 0;     // probabilities whose design has an outcome
  double brier = 0;   // mean squared error of these (Brier 1950); 0 is best
  double chance = 0;  // what saying the share of successes every time would have given
};

/// A probability that came true or did not.
struct Foretold {
  std::string model;
  double probability = 0.5;
  bool beat = false;
};

/// Whether a design of agents did better than its parent (without one: than the best baseline) at the first
/// rung on the same data; nothing while that is not known. A run that ended without a score lost.
std::optional<bool> beat_parent(const Population& population, const Individual& design);

/// All probabilities whose design has an outcome, in the order of tasks. O(tasks).
std::vector<Foretold> foretold(const Population& population);

/// Everybody who reviewed a design that was trained, by name. O(tasks).
std::vector<Reviewer> reviewers(const Population& population);

}  // namespace gabbro::evolve
