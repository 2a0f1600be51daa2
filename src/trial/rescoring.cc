#include "trial/rescoring.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "exec/reference/predicted_cost.h"

namespace gabbro::trial {

std::int64_t windows_to_rescore(const ir::Graph& graph, std::span<const ir::NodeId> outputs,
                                const record::TrialSpec& spec, double flops) {
  constexpr std::int64_t kTrainedPerToken = 100, kMostTokens = 16'384, kFewest = 4;
  constexpr double kShareOfTraining = 0.01;
  const std::int64_t of_tokens =
      std::max(kFewest, std::min(spec.tokens / kTrainedPerToken, kMostTokens) / spec.length);
  const double operations = exec::predict_cost(graph, outputs, spec.length).operations,
               allowed = std::max(kShareOfTraining * flops, Judge::kMostOperations);
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::min(static_cast<double>(of_tokens), allowed / operations)));
}

void WindowSample::add(const eval::ScoredWindow& window) {
  const std::int64_t place = seen_ < size_ ? seen_ : random_.below(seen_ + 1);
  ++seen_;
  if (place >= size_) return;
  if (place == std::ssize(windows_)) windows_.emplace_back();
  Window& kept = windows_[static_cast<std::size_t>(place)];
  kept.tokens.assign(window.tokens.begin(), window.tokens.end());
  kept.losses.assign(window.losses.begin(), window.losses.end());
}

Rescoring WindowSample::compare(Judge& judge, std::int64_t length) const {
  Rescoring out;
  double sum = 0, tokens = 0;
  for (const Window& w : windows_) {
    const std::vector<double> exact = judge.losses({.sequences = 1,
                                                    .length = std::ssize(w.losses),
                                                    .tokens = {w.tokens.begin(), w.tokens.end() - 1},
                                                    .targets = {w.tokens.begin() + 1, w.tokens.end()}});
    double difference = 0;
    for (std::size_t t = 0; t < exact.size(); ++t) difference += w.losses[t] - exact[t];
    if (std::isnan(difference)) difference = std::numeric_limits<double>::infinity();
    out.worst = std::max(out.worst, std::abs(difference) / static_cast<double>(length));
    sum += std::abs(difference);
    tokens += static_cast<double>(w.losses.size());
  }
  out.windows = std::ssize(windows_);
  out.mean = sum / std::max(tokens, 1.0);
  return out;
}

}  // namespace gabbro::trial
