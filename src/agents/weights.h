// Weights of reviewers' ratings, from the accuracy of their predictions.
#pragma once

#include <map>
#include <span>
#include <string>

namespace gabbro::agents {

/// A probability that a reviewer predicted, and the outcome: true if the design beat its parent.
struct ScoredPrediction {
  std::string model;  // name of the reviewer's model
  double probability = 0.5;
  bool beat = false;
};

/// Returns Brief::reviewer_weights from Brier scores (Brier 1950). A model's skill is 1 minus the ratio of
/// its score to that of a constant prediction, the rate at which the designs of `scored` beat their parents.
/// Skill is 1 for perfect predictions, and 0 or less for a model that predicts the same for every design.
/// Skill is shrunk by n / (n + 20) for n predictions. The weight is 1/4 + skill, at least 1/4. It is 1 for
/// every model while there are fewer than 10 predictions in all. O(n log n).
std::map<std::string, double> reviewer_weights(std::span<const ScoredPrediction> scored);

}  // namespace gabbro::agents
