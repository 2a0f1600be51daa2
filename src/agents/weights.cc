#include "agents/weights.h"

#include <algorithm>

namespace gabbro::agents {

std::map<std::string, double> reviewer_weights(std::span<const ScoredPrediction> scored) {
  struct Sum {
    double squared_error = 0, base_rate_error = 0, n = 0;
  };
  double wins = 0;
  for (const ScoredPrediction& s : scored) wins += s.beat ? 1 : 0;
  const double base_rate = scored.empty() ? 0 : wins / static_cast<double>(scored.size());
  std::map<std::string, Sum> sums;
  for (const ScoredPrediction& s : scored) {
    Sum& sum = sums[s.model];
    const double outcome = s.beat ? 1 : 0;
    sum.squared_error += (s.probability - outcome) * (s.probability - outcome);
    sum.base_rate_error += (base_rate - outcome) * (base_rate - outcome);
    ++sum.n;
  }
  std::map<std::string, double> weights;
  for (const auto& [model, sum] : sums) {
    constexpr double kMinPredictions = 10, kShrinkage = 20, kMinWeight = 0.25;
    const double skill = sum.base_rate_error > 0 ? 1 - sum.squared_error / sum.base_rate_error : 0;
    weights[model] = static_cast<double>(scored.size()) < kMinPredictions
                         ? 1
                         : std::max(kMinWeight, kMinWeight + skill * sum.n / (sum.n + kShrinkage));
  }
  return weights;
}

}  // namespace gabbro::agents
