#include "evolve/common_rates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace gabbro::evolve {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Returns the scores of a design by rate.
std::map<double, double> scores_on_seed(const RateScores& scores, std::uint64_t seed) {
  const auto at = scores.find(seed);
  return at == scores.end() ? std::map<double, double>{} : at->second;
}

// Returns the best score on the first seed; infinite if there is none.
double lowest_on_first_seed(const RateScores& scores) {
  double out = kInfinity;
  if (!scores.empty())
    for (const auto& [rate, score] : scores.begin()->second) out = std::min(out, score);
  return out;
}

// Returns the rate that is fitted to all scores together, with a level for each design and seed.
double common_rate(const std::vector<RateScores>& designs) {
  RateScores all;
  for (const RateScores& scores : designs)
    for (const auto& [seed, by_rate] : scores) all[all.size()] = by_rate;
  return fitted_rate(all);
}

bool is_near_another(const std::vector<RateScores>& designs, std::size_t d) {
  for (std::size_t other = 0; other < designs.size(); ++other)
    if (other != d &&
        std::abs(lowest_on_first_seed(designs[other]) - lowest_on_first_seed(designs[d])) <= kNearScores)
      return true;
  return false;
}

// Returns the next run on the first seed.
std::optional<RateRun> next_first_run(const std::vector<RateScores>& designs, double middle,
                                      std::uint64_t seed) {
  std::set<double> rates{middle, middle / 2, middle * 2};
  for (const RateScores& scores : designs)
    for (const auto& [rate, score] : scores_on_seed(scores, seed)) rates.insert(rate);
  for (std::size_t d = 0; d < designs.size(); ++d)
    for (const double rate : rates)
      if (!scores_on_seed(designs[d], seed).contains(rate)) return RateRun{d, seed, rate};
  for (std::size_t d = 0; d < designs.size(); ++d)
    if (const auto rate = next_rate(scores_on_seed(designs[d], seed), middle, kMostComparedRates))
      return RateRun{d, seed, *rate};
  return std::nullopt;
}

// Returns the next run on a further seed, around the rates that are fitted to the seeds before it.
std::optional<RateRun> next_further_run(const std::vector<RateScores>& designs, std::uint64_t seed) {
  std::vector<RateScores> before;
  for (const RateScores& scores : designs) before.emplace_back(scores.begin(), scores.lower_bound(seed));
  const std::vector<double> rates = compared_rates(before);
  for (std::size_t d = 0; d < designs.size(); ++d)
    if (is_near_another(before, d))
      if (const auto rate = next_rate_around(rates[d], scores_on_seed(designs[d], seed)))
        return RateRun{d, seed, *rate};
  return std::nullopt;
}

}  // namespace

std::optional<RateRun> next_rate_run(const std::vector<RateScores>& designs, double middle,
                                     std::uint64_t first_seed, int seeds) {
  if (auto run = next_first_run(designs, middle, first_seed)) return run;
  if (!std::all_of(designs.begin(), designs.end(), has_score)) return std::nullopt;
  for (int k = 1; k <= further_rate_seeds(seeds); ++k)
    if (auto run = next_further_run(designs, first_seed + static_cast<std::uint64_t>(k))) return run;
  return std::nullopt;
}

RateRuns rate_runs(int designs, int seeds) {
  const int further = designs > 1 ? kRatesAround * further_rate_seeds(seeds) : 0;
  return {designs * kLeastRates, designs * (kMostComparedRates + further)};
}

std::vector<double> compared_rates(const std::vector<RateScores>& designs) {
  std::vector<double> out;
  const double expected = common_rate(designs);
  for (const RateScores& scores : designs) out.push_back(fitted_rate(scores, expected));
  return out;
}

std::vector<RateScores> rate_scores(const record::ScaleStudy& study) {
  std::vector<RateScores> out(study.designs.size());
  for (const record::ScaleRun& r : study.searches) {
    const bool is_known = r.design >= 0 && r.design < static_cast<std::int64_t>(out.size());
    if (!is_known || !(r.rate > 0) || !std::isfinite(r.rate)) continue;
    out[static_cast<std::size_t>(r.design)][r.seed][r.rate] =
        r.status == record::Status::kDone && r.bits > 0 ? r.bits : kInfinity;
  }
  return out;
}

bool has_score(const RateScores& scores) { return std::isfinite(lowest_on_first_seed(scores)); }

}  // namespace gabbro::evolve
