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

  [[nodiscard]] std::map<double, double> finite() const {
    std::map<double, double> out = scores;
    std::erase_if(out, [](const auto& tried) { return !std::isfinite(tried.second); });
    return out;
  }
};

// Without a seed: with that of the design's first run of the search at the rung.
Tried tried(const Population& p, const Individual& i, int rung, std::optional<std::uint64_t> seed = {}) {
  Tried out;
  for (const std::int64_t id : i.trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung != rung || is_verdict_run(t)) continue;
    if (!seed) seed = t.begun.seed;
    if (t.begun.seed != *seed) continue;
    out.open = out.open || !t.ended;
    out.scores[t.begun.rate] = t.ended && t.status == record::Status::kDone ? t.bits : kInfinity;
  }
  return out;
}

auto lowest_of(const std::map<double, double>& scores) {
  return std::min_element(scores.begin(), scores.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; });
}

// y = square x^2 + linear x + constant.
struct Parabola {
  double square = 0, linear = 0;
};

// Returns the least-squares fit; nothing with fewer than three points. Points at distinct x.
std::optional<Parabola> parabola_through(const std::vector<std::pair<double, double>>& points) {
  if (points.size() < 3) return std::nullopt;
  const auto n = static_cast<double>(points.size());
  double mean = 0;
  for (const auto& [x, y] : points) mean += x / n;
  // Sums of powers about the mean; the normal equations are then solved by hand.
  double s2 = 0, s3 = 0, s4 = 0, y0 = 0, y1 = 0, y2 = 0;
  for (const auto& [x, y] : points) {
    const double u = x - mean;
    s2 += u * u, s3 += u * u * u, s4 += u * u * u * u;
    y0 += y, y1 += u * y, y2 += u * u * y;
  }
  const double determinant = s2 * s4 - s3 * s3 - s2 * s2 * s2 / n;
  if (determinant <= 0) return std::nullopt;
  const double square = (s2 * (y2 - s2 * y0 / n) - s3 * y1) / determinant;
  const double slope = (y1 - square * s3) / s2;  // at the mean
  return Parabola{square, slope - 2 * square * mean};
}

}  // namespace

std::optional<double> next_rate(const std::map<double, double>& scores, double middle) {
  for (const double rate : {middle, middle / 2, middle * 2})
    if (!scores.contains(rate)) return rate;
  const auto best = lowest_of(scores);
  if (static_cast<int>(scores.size()) >= kMostRates) return std::nullopt;
  // Without any score, the rates were too large.
  if (!std::isfinite(best->second) || best == scores.begin()) return scores.begin()->first / 2;
  if (best == std::prev(scores.end())) return best->first * 2;
  return std::nullopt;
}

double fitted_rate(const std::map<double, double>& scores) {
  constexpr double kNear = 0.1;  // bits per byte; scores further up lie where the curve is no parabola
  constexpr double kSteps = 4;   // of an octave
  const auto best = lowest_of(scores);
  // The three rates nearest to the best are used whatever their scores are.
  const std::ptrdiff_t first = std::clamp<std::ptrdiff_t>(
      std::distance(scores.begin(), best) - 1, 0, std::max<std::ptrdiff_t>(0, std::ssize(scores) - 3));
  std::vector<std::pair<double, double>> points;  // octaves from the best, bits above it
  for (auto at = scores.begin(); at != scores.end(); ++at) {
    const std::ptrdiff_t place = std::distance(scores.begin(), at);
    const bool is_near = (place >= first && place < first + 3) || at->second <= best->second + kNear;
    if (std::isfinite(at->second) && is_near)
      points.emplace_back(std::log2(at->first / best->first), at->second - best->second);
  }
  const std::optional<Parabola> curve = parabola_through(points);
  if (!curve || curve->square <= 0) return best->first;
  const double lowest = -curve->linear / (2 * curve->square);
  const double octaves = std::clamp(lowest, points.front().first, points.back().first);
  return best->first * std::exp2(std::round(octaves * kSteps) / kSteps);
}

double compared_rate(const Population& p, const Individual& i, int rung) {
  const std::map<double, double> scores = tried(p, i, rung).finite();
  return p.settings().tune_rates && !scores.empty() ? fitted_rate(scores) : p.rate_of(i, rung);
}

bool is_rate_at_edge(const Population& p, const Individual& i, int rung) {
  if (!p.settings().tune_rates) return false;
  const Tried search = tried(p, i, rung);
  const std::map<double, double> scores = search.finite();
  if (scores.empty() || search.scores.size() < kLeastRates) return false;
  const auto best = lowest_of(scores);
  // Beyond the highest rate with a score, rates without one may have been tried: then it is no edge of the
  // search.
  return best == scores.begin() || (best == std::prev(scores.end()) && search.scores.size() == scores.size());
}

std::optional<RunRequest> next_rate_run(const Population& p, std::int64_t design, int rung,
                                        std::uint64_t first_seed) {
  if (!p.settings().tune_rates) return std::nullopt;
  const Individual& i = p.individual(design);
  const Tried t = tried(p, i, rung, first_seed);
  const double middle = rung == 0 ? i.created.rate : p.rate_of(i, rung - 1);
  const auto rate = next_rate(t.scores, middle);
  // The first three rates do not depend on scores. Later ones do, so all runs must have ended.
  const bool of_the_first = rate && (*rate == middle || *rate == middle / 2 || *rate == middle * 2);
  if (!rate || (t.open && !of_the_first)) return std::nullopt;
  return RunRequest{design, rung, first_seed, record::Purpose::kRate, {}, *rate};
}

bool is_rate_settled(const Population& p, std::int64_t design, int rung, std::uint64_t first_seed) {
  return !tried(p, p.individual(design), rung, first_seed).open &&
         !next_rate_run(p, design, rung, first_seed);
}

std::optional<RunRequest> next_rate_run(const Population& p, const Leader& leader, std::uint64_t first_seed,
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
    if (t.begun.rung != rung || is_verdict_run(t) || !t.ended) continue;
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
