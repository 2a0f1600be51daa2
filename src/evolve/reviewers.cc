#include "evolve/reviewers.h"

#include <algorithm>
#include <map>

namespace gabbro::evolve {

std::optional<bool> beat_parent(const Population& p, const Individual& design) {
  const Standing s = p.standing(design, 0);
  if (s.done == 0 && s.lost == 0) return std::nullopt;
  if (s.lost > 0) return false;
  const std::int64_t against = design.born.parent != 0 ? design.born.parent : p.best_baseline(0);
  if (against == 0) return std::nullopt;
  if (p.standing(p.individual(against), 0).lost > 0) return true;
  const std::vector<double> d = p.differences(design.born.id, against, 0, false);
  if (d.empty()) return std::nullopt;
  return d.front() < 0;
}

std::vector<Reviewer> reviewers(const Population& p) {
  constexpr int kEnough = 5;
  constexpr double kLeast = 0.05;
  std::map<std::string, std::pair<Reviewer, int>> all;  // and how many of the scored ones succeeded
  for (const Task& task : p.tasks()) {
    if (task.design == 0) continue;
    const std::optional<bool> beat = beat_parent(p, p.individual(task.design));
    for (const record::Review& r : task.report.reviews) {
      auto& [reviewer, successes] = all[r.model];
      reviewer.model = r.model;
      if (!beat) continue;
      const double error = r.probability - (*beat ? 1 : 0);
      ++reviewer.scored;
      reviewer.brier += error * error;
      successes += *beat ? 1 : 0;
    }
  }
  std::vector<Reviewer> out;
  for (auto& [model, entry] : all) {
    auto& [r, successes] = entry;
    if (r.scored > 0) {
      const double share = static_cast<double>(successes) / r.scored;
      r.brier /= r.scored;
      r.chance = share * (1 - share);
      if (r.scored >= kEnough)
        r.weight = r.chance > 0 ? std::clamp(1 - r.brier / r.chance, kLeast, 1.0) : kLeast;
    }
    out.push_back(r);
  }
  return out;
}

}  // namespace gabbro::evolve
