// How much a reviewer's rating counts, by how its probabilities fared.
#pragma once

#include <map>
#include <span>
#include <string>

namespace gabbro::agents {

/// A probability that a reviewer gave, and whether the design did beat its parent.
struct Scored {
  std::string model;
  double probability = 0.5;
  bool beat = false;
};

/// Weights of Brief::reviewer_weights from Brier scores (Brier 1950). A model's skill is 1 - its score / that
/// of always saying the rate at which designs of `scored` beat their parents: 1 for a prophet, 0 or less for
/// one who says the same of every design, be it approval, as its probabilities tell nothing apart. Skill is
/// shrunk by n / (n + 20) for n scored ones; the weight is 1/4 + skill, at least 1/4, and 1 for every model
/// while fewer than 10 are scored in all. O(n log n).
std::map<std::string, double> reviewer_weights(std::span<const Scored> scored);

}  // namespace gabbro::agents
