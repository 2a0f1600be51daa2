#include "evolve/reviewers.h"

#include <map>

namespace gabbro::evolve {

std::optional<bool> beat_parent(const Population& p, const Individual& design) {
  const Standing s = p.standing(design, 0);
  if (s.done == 0 && s.unscored == 0) return std::nullopt;
  if (s.unscored > 0) return false;
  const std::int64_t against = design.created.parent != 0 ? design.created.parent : p.best_baseline(0);
  if (against == 0) return std::nullopt;
  if (p.standing(p.individual(against), 0).unscored > 0) return true;
  const std::vector<double> d = p.differences(design.created.id, against, 0, RunKind::kSearch);
  if (d.empty()) return std::nullopt;
  return d.front() < 0;
}

std::vector<Prediction> predictions(const Population& p) {
  std::vector<Prediction> out;
  for (const AgentTask& task : p.tasks()) {
    if (task.design == 0) continue;
    if (const auto beat = beat_parent(p, p.individual(task.design)))
      for (const record::Review& r : task.report.reviews) out.push_back({r.model, r.probability, *beat});
  }
  return out;
}

std::vector<ReviewerScore> reviewer_scores(const Population& p) {
  std::map<std::string, ReviewerScore> all;
  for (const AgentTask& task : p.tasks())
    if (task.design != 0)
      for (const record::Review& r : task.report.reviews) all[r.model].model = r.model;
  for (const Prediction& f : predictions(p)) {
    ReviewerScore& r = all[f.model];
    const double error = f.probability - (f.beat ? 1 : 0);
    ++r.scored;
    r.brier += error * error;
    r.base_rate_brier += f.beat ? 1 : 0;  // holds the number of successes until the loop below
  }
  std::vector<ReviewerScore> out;
  for (auto& [model, r] : all) {
    if (r.scored > 0) {
      const double share = r.base_rate_brier / r.scored;
      r.brier /= r.scored;
      r.base_rate_brier = share * (1 - share);
    }
    out.push_back(r);
  }
  return out;
}

}  // namespace gabbro::evolve
