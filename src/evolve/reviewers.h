// Scores reviewers, the language models that judge proposals of agents: compares the probability that they
// give a design to beat its parent with the outcome.
#pragma once

#include <string>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

/// The Brier score of a model over all of its reviews.
struct ReviewerScore {
  std::string model;
  int scored = 0;    // number of its predictions whose design has an outcome; if 0, the scores mean nothing
  double brier = 0;  // mean squared error of these predictions (Brier 1950); 0 is best
  double base_rate_brier = 0;  // that of always predicting the share of successes among its predictions
};

/// The probability that a reviewer gave a design to beat its parent, and whether it did (evolve/outcome.h).
struct Prediction {
  std::string model;         // the reviewer
  double probability = 0.5;  // that the design beats its parent
  bool beat = false;         // it did
  std::int64_t task = 0;     // id of the task that wrote the design
};

/// Returns all predictions whose design has an outcome, in the order of tasks. O(tasks), with a pass over all
/// designs for each task without a parent.
std::vector<Prediction> predictions(const Population& population);

/// Returns the scores of all reviewers of tasks that led to a design, sorted by model name. Costs as
/// `predictions`.
std::vector<ReviewerScore> reviewer_scores(const Population& population);

}  // namespace gabbro::evolve
