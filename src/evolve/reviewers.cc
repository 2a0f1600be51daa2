#include "evolve/reviewers.h"

#include <map>

#include "evolve/outcome.h"

namespace gabbro::evolve {

std::vector<Prediction> predictions(const Population& p) {
  std::vector<Prediction> out;
  for (const AgentTask& task : p.tasks()) {
    if (task.design == 0) continue;
    if (const auto outcome = outcome_of(p, p.individual(task.design)))
      for (const record::Review& r : task.report.reviews)
        out.push_back({r.model, r.probability, outcome->better, task.begun.id});
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
