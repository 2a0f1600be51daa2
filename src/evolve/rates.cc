#include "evolve/rates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "evolve/comparison.h"

namespace gabbro::evolve {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Rates that differ by less than this factor, an eighth of an octave, count as the same.
constexpr double kSameRate = 1.09;
// The factor between the rates on further seeds and the fitted one.
constexpr double kHalfOctave = 1.4142135623730951;

// The scores of a search and its runs under way.
struct RateSearch {
  RateScores scores;
  std::set<std::uint64_t> open;  // seeds with runs under way
  std::uint64_t first_seed = 0;

  // Returns the scores by rate on the first seed.
  [[nodiscard]] const std::map<double, double>& first() const {
    static const std::map<double, double> none;
    const auto at = scores.find(first_seed);
    return at == scores.end() ? none : at->second;
  }
  // Returns the lowest of these scores; infinite if there is none.
  [[nodiscard]] double lowest() const {
    double out = kInfinity;
    for (const auto& [rate, score] : first()) out = std::min(out, score);
    return out;
  }
};

// Returns the search for a design's rate at a rung, from trials with ids smaller than `before`. `seed` is its
// first seed; if it is not given, that of the design's first run of the search at the rung.
RateSearch search_of(const Population& p, const Individual& i, int rung,
                     std::optional<std::uint64_t> seed = {}, std::int64_t before = Population::kNoTrial) {
  RateSearch out;
  for (const std::int64_t id : i.trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung != rung || !guides_search(t) || id >= before) continue;
    if (!seed) seed = t.begun.seed;
    if (!t.ended) out.open.insert(t.begun.seed);
    out.scores[t.begun.seed][t.begun.rate] =
        t.ended && t.status == record::Status::kDone ? t.bits : kInfinity;
  }
  out.first_seed = seed.value_or(0);
  return out;
}

bool is_same_rate(double a, double b) { return a < kSameRate * b && b < kSameRate * a; }

bool has_rate(const std::map<double, double>& scores, double rate) {
  return std::any_of(scores.begin(), scores.end(),
                     [&](const auto& entry) { return is_same_rate(entry.first, rate); });
}

auto lowest_of(const std::map<double, double>& scores) {
  return std::min_element(scores.begin(), scores.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; });
}

// Sums of the normal equations of a weighted least-squares fit y = square v + slope u + level, where v = u^2
// and the level has been eliminated.
struct NormalSums {
  double uu = 0, uv = 0, vv = 0, uy = 0, vy = 0;
  [[nodiscard]] double determinant() const { return uu * vv - uv * uv; }
};

// Adds the scores of one seed, as octaves from `origin`.
void add_seed(const std::map<double, double>& scores, double origin, NormalSums& out) {
  constexpr double kDeviation = 0.01;  // standard deviation of a run, in bits per byte
  constexpr double kMissed = 0.5;      // what a parabola misses, as a share of the height above the lowest
  struct Point {
    double weight, u, y;
  };
  std::vector<Point> points;
  const double lowest = lowest_of(scores)->second;
  for (const auto& [rate, score] : scores) {
    if (!std::isfinite(score)) continue;
    const double height = score - lowest, missed = kMissed * height;
    points.push_back({1 / (kDeviation * kDeviation + missed * missed), std::log2(rate / origin), height});
  }
  double sum = 0, mean_u = 0, mean_v = 0, mean_y = 0;
  for (const auto& [weight, u, y] : points)
    sum += weight, mean_u += weight * u, mean_v += weight * u * u, mean_y += weight * y;
  for (const auto& [weight, u, y] : points) {
    const double a = u - mean_u / sum, b = u * u - mean_v / sum, c = y - mean_y / sum;
    out.uu += weight * a * a, out.uv += weight * a * b, out.vv += weight * b * b;
    out.uy += weight * a * c, out.vy += weight * b * c;
  }
}

// A parabola square u^2 + slope u, in octaves u from the origin of a fit.
struct Curve {
  double square = 0, slope = 0;
  double slope_variance = 0;  // variance of `slope`, due to the variances of the scores
};

// Fits a parabola with a level for each seed. Returns nothing with fewer than three rates.
std::optional<Curve> curve_of(const RateScores& scores, double origin) {
  NormalSums sums;
  for (const auto& [seed, by_rate] : scores)
    if (!by_rate.empty()) add_seed(by_rate, origin, sums);
  const double determinant = sums.determinant();
  if (!(determinant > 1e-9 * sums.uu * sums.vv)) return std::nullopt;
  return Curve{(sums.uu * sums.vy - sums.uv * sums.uy) / determinant,
               (sums.vv * sums.uy - sums.uv * sums.vy) / determinant, sums.vv / determinant};
}

// Returns the rate that is fitted to a search; nothing without a score on the first seed.
std::optional<double> fitted(const RateSearch& search, std::optional<double> expected) {
  if (!std::isfinite(search.lowest())) return std::nullopt;
  return fitted_rate(search.scores, expected);
}

// Returns the first run of the leader's comparison, before which its rates were found; kNoTrial if it has not
// begun.
std::int64_t first_run_of_comparison(const Population& p, const Leader& leader) {
  const record::ComparisonBegun* c = comparison_of(p, leader);
  return c ? first_run_of(p, *c) : Population::kNoTrial;
}

// Returns the rate of a leader in its comparison, from trials with ids smaller than `before`.
double rate_of_leader(const Population& p, const Leader& leader, std::int64_t before) {
  const Individual& i = p.individual(leader.design);
  return fitted(search_of(p, i, leader.rung, {}, before), {}).value_or(p.rate_of(i, leader.rung, before));
}

// Returns the next run of a search on further seeds. Each of them tries three rates around the fit to all
// seeds before it. Returns nothing if all have ended (`settled`), or if it waits for runs under way.
std::optional<RunRequest> next_further_run(const RateSearch& search, std::int64_t design, int rung, int seeds,
                                           std::optional<double> expected, bool& settled) {
  RateSearch known;
  known.first_seed = search.first_seed;
  known.scores[search.first_seed] = search.first();
  settled = search.open.empty();
  for (int k = 1; k <= seeds; ++k) {
    const bool waits = std::any_of(search.open.begin(), search.open.end(),
                                   [&](std::uint64_t seed) { return known.scores.contains(seed); });
    if (waits) return std::nullopt;
    const auto rate = fitted(known, expected);
    if (!rate) return std::nullopt;
    const std::uint64_t seed = search.first_seed + static_cast<std::uint64_t>(k);
    const auto at = search.scores.find(seed);
    const auto scores = at == search.scores.end() ? std::map<double, double>{} : at->second;
    if (const auto around = next_rate_around(*rate, scores)) {
      settled = false;
      return RunRequest{design, rung, seed, record::Purpose::kRate, {}, *around};
    }
    known.scores[seed] = scores;
  }
  return std::nullopt;
}

// Returns the rate around which the search at a rung begins.
double middle_rate(const Population& p, const Individual& i, int rung) {
  return rung == 0 ? i.created.rate : p.rate_of(i, rung - 1);
}

// Returns the next run of one design's search before a comparison, with up to `further` further seeds.
// `expected` is the leader's rate if the design is another one. Sets `settled` as next_rate_run does.
std::optional<RunRequest> next_run_before(const Population& p, const Leader& leader, std::int64_t design,
                                          std::uint64_t first_seed, int further,
                                          std::optional<double> expected, bool& settled) {
  settled = false;
  if (auto run = next_rate_run(p, design, leader.rung, first_seed)) return run;
  const Individual& i = p.individual(design);
  const RateSearch search = search_of(p, i, leader.rung, first_seed);
  if (expected && !has_rate(search.first(), *expected))
    return RunRequest{design, leader.rung, first_seed, record::Purpose::kRate, {}, *expected};
  if (search.open.contains(first_seed)) return std::nullopt;
  if (expected)
    if (const auto rate = next_rate(search.first(), middle_rate(p, i, leader.rung), kMostComparedRates))
      return RunRequest{design, leader.rung, first_seed, record::Purpose::kRate, {}, *rate};
  const double leader_bits = search_of(p, p.individual(leader.design), leader.rung, first_seed).lowest();
  if (search.lowest() > leader_bits + kNearScores) further = 0;
  return next_further_run(search, design, leader.rung, further, expected, settled);
}

}  // namespace

std::optional<double> next_rate(const std::map<double, double>& scores, double middle, int most) {
  for (const double rate : {middle, middle / 2, middle * 2})
    if (!scores.contains(rate)) return rate;
  const auto best = lowest_of(scores);
  if (static_cast<int>(scores.size()) >= most) return std::nullopt;
  // Without any score, the rates were too large or too small: the search goes on below and above in turn.
  const bool goes_down = std::isfinite(best->second) ? best == scores.begin() : scores.size() % 2 == 1;
  const bool goes_up = std::isfinite(best->second) ? best == std::prev(scores.end()) : !goes_down;
  if (goes_down) return scores.begin()->first / 2;
  if (goes_up) return scores.rbegin()->first * 2;
  return std::nullopt;
}

bool is_at_edge(const std::map<double, double>& scores) {
  if (scores.size() < kLeastRates) return false;
  const auto best = lowest_of(scores);
  return std::isfinite(best->second) && (best == scores.begin() || best == std::prev(scores.end()));
}

std::optional<double> next_rate_around(double fitted, const std::map<double, double>& scores) {
  for (const double rate : {fitted, fitted / kHalfOctave, fitted * kHalfOctave})
    if (!has_rate(scores, rate)) return rate;
  return std::nullopt;
}

double fitted_rate(const RateScores& scores, std::optional<double> expected) {
  constexpr double kSteps = 4;  // the result is a multiple of 1 / kSteps octaves from the best rate
  // The usual distance of a design's best rate from the expected one, in octaves. At 1, designs whose best
  // rates lie two octaves apart were falsely ahead in a third of simulated campaigns; at 3, preset rates that
  // are off by ten made a tenth of campaigns claim something false.
  constexpr double kUsual = 2;
  const double best = lowest_of(scores.begin()->second)->first, origin = expected.value_or(best);
  const std::optional<Curve> curve = curve_of(scores, origin);
  if (!curve) return best;  // fewer than three rates
  double low = kInfinity, high = 0;
  for (const auto& [seed, by_rate] : scores)
    for (const auto& [rate, score] : by_rate)
      if (std::isfinite(score)) low = std::min(low, rate), high = std::max(high, rate);
  double octaves = 0;  // from the origin
  if (curve->square > 0) {
    octaves = -curve->slope / (2 * curve->square);
    if (expected) {
      // Before any run, the slope at the expected rate is 0 in the mean, and deviates as much as the lowest
      // point does.
      const double usual = std::pow(2 * curve->square * kUsual, 2);
      octaves *= usual / (usual + curve->slope_variance);
    }
  } else if (!expected) {
    return best;
  }
  const double rate = std::clamp(origin * std::exp2(octaves), low, high);
  return best * std::exp2(std::round(kSteps * std::log2(rate / best)) / kSteps);
}

double rate_loss(const RateScores& scores, double rate) {
  const double origin = lowest_of(scores.begin()->second)->first;
  const std::optional<Curve> curve = curve_of(scores, origin);
  if (!curve) return 0;
  const auto height = [&](double at) {
    const double u = std::log2(at / origin);
    return curve->square * u * u + curve->slope * u;
  };
  return std::max(0.0, height(rate) - height(fitted_rate(scores)));
}

double rate_loss(const Population& p, const Leader& leader, std::int64_t design) {
  if (!p.settings().tune_rates || design == leader.design) return 0;
  const RateSearch search =
      search_of(p, p.individual(design), leader.rung, {}, first_run_of_comparison(p, leader));
  return std::isfinite(search.lowest()) ? rate_loss(search.scores, compared_rate(p, leader, design)) : 0;
}

double compared_rate(const Population& p, const Leader& leader, std::int64_t design) {
  const Individual& i = p.individual(design);
  const std::int64_t before = first_run_of_comparison(p, leader);
  if (!p.settings().tune_rates) return p.rate_of(i, leader.rung, before);
  const double expected = rate_of_leader(p, leader, before);
  if (design == leader.design) return expected;
  return fitted(search_of(p, i, leader.rung, {}, before), expected)
      .value_or(p.rate_of(i, leader.rung, before));
}

bool is_rate_at_edge(const Population& p, const Individual& i, int rung, std::int64_t before) {
  return p.settings().tune_rates && is_at_edge(search_of(p, i, rung, {}, before).first());
}

std::optional<RunRequest> next_rate_run(const Population& p, std::int64_t design, int rung,
                                        std::uint64_t first_seed) {
  if (!p.settings().tune_rates) return std::nullopt;
  const Individual& i = p.individual(design);
  const RateSearch t = search_of(p, i, rung, first_seed);
  const double middle = middle_rate(p, i, rung);
  const auto rate = next_rate(t.first(), middle);
  // The first three rates do not depend on scores. Later ones do, so all runs must have ended.
  const bool is_of_first_three = rate && (*rate == middle || *rate == middle / 2 || *rate == middle * 2);
  if (!rate || (t.open.contains(first_seed) && !is_of_first_three)) return std::nullopt;
  return RunRequest{design, rung, first_seed, record::Purpose::kRate, {}, *rate};
}

int further_rate_seeds(int seeds) {
  constexpr int kSeedsOfComparison = 7;                          // for each further seed
  return (seeds + kSeedsOfComparison / 2) / kSeedsOfComparison;  // rounded to the nearest
}

std::optional<RunRequest> next_rate_run(const Population& p, const Leader& leader, std::uint64_t first_seed,
                                        int seeds, bool& settled) {
  settled = true;
  if (!p.settings().tune_rates) return std::nullopt;
  const int further = further_rate_seeds(seeds);
  bool is_leader_settled = false;
  if (auto run = next_run_before(p, leader, leader.design, first_seed, further, {}, is_leader_settled)) {
    settled = false;
    return run;
  }
  // The others are tried at the leader's rate, which is known once its own search is over.
  std::optional<double> expected;
  if (is_leader_settled) expected = rate_of_leader(p, leader, Population::kNoTrial);
  settled = is_leader_settled;
  for (const std::int64_t design : compared_with(p)) {
    bool is_settled = false;
    auto run = expected ? next_run_before(p, leader, design, first_seed, further, expected, is_settled)
                        : next_rate_run(p, design, leader.rung, first_seed);
    settled = settled && is_settled;
    if (run) return run;
  }
  return std::nullopt;
}

int most_rate_runs(int others, int seeds) {
  const int further = kRatesAround * further_rate_seeds(seeds);
  // The leader's own run at the rung is one of its search.
  return kMostRates - 1 + further + others * (kMostComparedRates + further);
}

RateRuns rate_runs_left(const Population& p, int rung, std::uint64_t first_seed, int seeds) {
  if (!p.settings().tune_rates) return {};
  const std::vector<std::int64_t> others = compared_with(p);
  RateRuns out{most_rate_runs(0, seeds), most_rate_runs(static_cast<int>(others.size()), seeds)};
  for (const std::int64_t design : others) {
    const auto tried_rates =
        static_cast<int>(search_of(p, p.individual(design), rung, first_seed).first().size());
    // The smallest search, and a run at the leader's rate.
    out.least += std::max(1, kLeastRates + 1 - tried_rates);
    out.most -= std::min(tried_rates, kMostComparedRates - 1);
  }
  return out;
}

std::vector<TriedRate> tried_rates(const Population& p, std::int64_t design, int rung) {
  const Individual& i = p.individual(design);
  const double taken = p.rate_of(i, rung);
  std::map<double, TriedRate> out;
  for (const std::int64_t id : i.trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung != rung || !guides_search(t) || !t.ended || p.only_fits_rate(t)) continue;
    TriedRate& rate = out[t.begun.rate];
    rate.factor = t.begun.rate;
    rate.taken = t.begun.rate == taken;
    if (t.status == record::Status::kDone && rate.bits == 0) rate.bits = t.bits;
  }
  std::vector<TriedRate> list;
  for (const auto& [factor, rate] : out) list.push_back(rate);
  return list;
}

FurtherRates further_rates(const Population& p, std::int64_t design, int rung) {
  FurtherRates out;
  std::set<std::uint64_t> seeds;
  for (const std::int64_t id : p.individual(design).trials)
    if (const Trial& t = p.trial(id); t.begun.rung == rung && t.ended && p.only_fits_rate(t))
      ++out.runs, seeds.insert(t.begun.seed);
  out.seeds = static_cast<int>(seeds.size());
  return out;
}

double inherited_rate(const Population& p, std::int64_t parent, Random random) {
  constexpr double kLeast = 0.125, kMost = 8, kProbability = 0.5;
  const double rate = parent == 0 ? 1 : p.rate_of(p.individual(parent), 0);
  if (!p.settings().tune_rates || !random.chance(kProbability)) return rate;
  static constexpr std::array<double, 4> kFactors{0.5, 0.70710678118654752, 1.4142135623730951, 2};
  return std::clamp(rate * random.pick(kFactors), kLeast, kMost);
}

}  // namespace gabbro::evolve
