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
  double weight = 1;  // of its word among reviewers
};

/// Whether a design of agents did better than its parent (without one: than the best baseline) at the first rung on the same data; nothing while that is
/// not known. A run that ended without a score lost.
std::optional<bool> beat_parent(const Population& population, const Individual& design);

/// Everybody who reviewed, by name. The weight is 1 until five probabilities are scored, then 1 - brier / chance, at least 0.05: who says the same of every
/// design knows nothing about any, and hardly counts. O(tasks).
std::vector<Reviewer> reviewers(const Population& population);

}  // namespace gabbro::evolve
