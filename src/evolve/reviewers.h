// Scores reviewers: compares their predicted probabilities with outcomes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

struct Reviewer {
  std::string model;
  int scored = 0;     // predictions whose design has an outcome
  double brier = 0;   // mean squared error of these predictions (Brier 1950); 0 is best
  double chance = 0;  // score of always predicting the overall share of successes
};

/// A predicted probability and its outcome.
struct Prediction {
  std::string model;
  double probability = 0.5;
  bool beat = false;
};

/// Returns true if an agents' design did better at the first rung, on the same data, than its parent or,
/// without one, than the best baseline. Returns nothing while that is not known. A run that ended without a
/// score counts as a defeat.
std::optional<bool> beat_parent(const Population& population, const Individual& design);

/// Returns all predictions whose design has an outcome, in the order of tasks. O(tasks).
std::vector<Prediction> predictions(const Population& population);

/// Returns all reviewers of tasks that led to a design, sorted by model name. O(tasks).
std::vector<Reviewer> reviewers(const Population& population);

}  // namespace gabbro::evolve
