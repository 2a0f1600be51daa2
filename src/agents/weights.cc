#include "agents/weights.h"

#include <algorithm>

namespace gabbro::agents {

std::map<std::string, double> reviewer_weights(std::span<const Scored> scored) {
  struct Sum {
    double score = 0, constant = 0, n = 0;
  };
  double beat = 0;
  for (const Scored& s : scored) beat += s.beat ? 1 : 0;
  const double rate = scored.empty() ? 0 : beat / static_cast<double>(scored.size());
  std::map<std::string, Sum> sums;
  for (const Scored& s : scored) {
    Sum& sum = sums[s.model];
    const double outcome = s.beat ? 1 : 0;
    sum.score += (s.probability - outcome) * (s.probability - outcome);
    sum.constant += (rate - outcome) * (rate - outcome);
    ++sum.n;
  }
  std::map<std::string, double> weights;
  for (const auto& [model, sum] : sums) {
    constexpr double kEnough = 10, kShrink = 20, kLeast = 0.25;
    const double skill = sum.constant > 0 ? 1 - sum.score / sum.constant : 0;
    weights[model] = static_cast<double>(scored.size()) < kEnough
                         ? 1
                         : std::max(kLeast, kLeast + skill * sum.n / (sum.n + kShrink));
  }
  return weights;
}

}  // namespace gabbro::agents
