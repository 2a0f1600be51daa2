#include "evolve/rates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "evolve/comparison.h"

namespace gabbro::evolve {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Scores by factor that a search has tried; infinite if there is none.
struct Tried {
  std::map<double, double> scores;
  bool open = false;
};

Tried tried(const Population& p, const Individual& i, int rung, std::uint64_t first_seed) {
  Tried out;
  for (const std::int64_t id : i.trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung != rung || t.begun.seed != first_seed || judges(t)) continue;
    out.open = out.open || !t.ended;
    out.scores[t.begun.rate] = t.ended && t.status == record::Status::kDone ? t.bits : kInfinity;
  }
  return out;
}

}  // namespace

std::optional<double> next_rate(const std::map<double, double>& scores, double middle) {
  for (const double rate : {middle, middle / 2, middle * 2})
    if (!scores.contains(rate)) return rate;
  const auto best = std::min_element(scores.begin(), scores.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (static_cast<int>(scores.size()) >= kMostRates || !std::isfinite(best->second)) return std::nullopt;
  if (best == scores.begin()) return best->first / 2;
  if (best == std::prev(scores.end())) return best->first * 2;
  return std::nullopt;
}

std::optional<Wanted> next_rate_run(const Population& p, std::int64_t design, int rung,
                                    std::uint64_t first_seed) {
  if (!p.settings().tune_rates) return std::nullopt;
  const Individual& i = p.individual(design);
  const Tried t = tried(p, i, rung, first_seed);
  const double middle = rung == 0 ? i.created.rate : p.rate_of(i, rung - 1);
  const auto rate = next_rate(t.scores, middle);
  // The first three rates do not depend on scores. Later ones do, so all runs must have ended.
  const bool of_the_first = rate && (*rate == middle || *rate == middle / 2 || *rate == middle * 2);
  if (!rate || (t.open && !of_the_first)) return std::nullopt;
  return Wanted{design, rung, first_seed, record::Purpose::kRate, {}, *rate};
}

bool is_rate_settled(const Population& p, std::int64_t design, int rung, std::uint64_t first_seed) {
  return !tried(p, p.individual(design), rung, first_seed).open &&
         !next_rate_run(p, design, rung, first_seed);
}

std::optional<Wanted> next_rate_run(const Population& p, const Leader& leader, std::uint64_t first_seed,
                                    bool& settled) {
  std::vector<std::int64_t> all = compared_with(p);
  all.insert(all.begin(), leader.design);
  settled = true;
  for (const std::int64_t design : all) {
    if (auto run = next_rate_run(p, design, leader.rung, first_seed)) {
      settled = false;
      return run;
    }
    settled = settled && is_rate_settled(p, design, leader.rung, first_seed);
  }
  return std::nullopt;
}

int rate_runs_left(const Population& p, int rung, std::uint64_t first_seed) {
  if (!p.settings().tune_rates) return 0;
  int out = kMostRates - 1;  // the leader's own run at the rung is one of them
  if (rung == 0) return out;
  for (const std::int64_t design : compared_with(p))
    out += std::max(
        0, kLeastRates - static_cast<int>(tried(p, p.individual(design), rung, first_seed).scores.size()));
  return out;
}

std::vector<TriedRate> tried_rates(const Population& p, std::int64_t design, int rung) {
  const Individual& i = p.individual(design);
  const double taken = p.rate_of(i, rung);
  std::map<double, TriedRate> out;
  for (const std::int64_t id : i.trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung != rung || judges(t) || !t.ended) continue;
    TriedRate& rate = out[t.begun.rate];
    rate.factor = t.begun.rate;
    rate.taken = t.begun.rate == taken;
    if (t.status == record::Status::kDone && rate.bits == 0) rate.bits = t.bits;
  }
  std::vector<TriedRate> list;
  for (const auto& [factor, rate] : out) list.push_back(rate);
  return list;
}

double inherited_rate(const Population& p, std::int64_t parent, Random random) {
  constexpr double kLeast = 0.125, kMost = 8, kMoved = 0.5;
  const double rate = parent == 0 ? 1 : p.rate_of(p.individual(parent), 0);
  if (!p.settings().tune_rates || !random.chance(kMoved)) return rate;
  static constexpr std::array<double, 4> kFactors{0.5, 0.70710678118654752, 1.4142135623730951, 2};
  return std::clamp(rate * random.pick(kFactors), kLeast, kMost);
}

}  // namespace gabbro::evolve
