#include "evolve/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "base/student.h"

namespace gabbro::evolve {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double mean_of(std::span<const double> x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return x.empty() ? 0 : sum / static_cast<double>(x.size());
}

// Returns the sample variance about `mean`.
double variance_of(std::span<const double> x, double mean) {
  double sum = 0;
  for (const double v : x) sum += (v - mean) * (v - mean);
  return sum / static_cast<double>(x.size() - 1);
}

// Returns the probability that a standard normal variable lies below z.
double normal_below(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

// Returns the effective degrees of freedom of a sum of two estimated variances (Satterthwaite 1946); infinite
// if both are 0.
double freedom_of_sum(const Variance& a, const Variance& b) {
  const double sum = a.value + b.value;
  double out = 0;
  for (const Variance& v : {a, b})
    if (v.value > 0) out += v.value * v.value / v.freedom;
  return out > 0 ? sum * sum / out : kInfinity;
}

// Returns half the width of an interval whose mean has variance a + b, with probability `tail` on either
// side.
double half_width(const Variance& a, const Variance& b, double tail) {
  const double sum = a.value + b.value;
  return sum > 0 ? t_quantile(1 - tail, freedom_of_sum(a, b)) * std::sqrt(sum) : 0;
}

Variance divided(const Variance& v, double by) { return {v.value / by, v.freedom}; }

}  // namespace

Variance pooled(const Variance& a, const Variance& b) {
  const double freedom = a.freedom + b.freedom;
  if (freedom <= 0) return {};
  return {(a.value * a.freedom + b.value * b.freedom) / freedom, freedom};
}

namespace {

// Rows or columns of a layout, numbered in the order in which they appear.
class Lines {
 public:
  Lines(const std::vector<Cell>& cells, std::int64_t Cell::*key) {
    std::map<std::int64_t, std::size_t> places;
    for (const Cell& c : cells) of_.push_back(places.try_emplace(c.*key, places.size()).first->second);
    count.resize(places.size());
    sum.resize(places.size());
  }
  std::size_t operator[](std::size_t cell) const { return of_[cell]; }

  std::vector<int> count;   // number of cells
  std::vector<double> sum;  // sum of the cells' current values

 private:
  std::vector<std::size_t> of_;  // row or column number by cell
};

// Removes cells that are alone in their row or column, since such a cell is explained by itself.
std::vector<Cell> without_lone(std::vector<Cell> cells) {
  while (true) {
    Lines rows(cells, &Cell::row), columns(cells, &Cell::column);
    for (std::size_t k = 0; k < cells.size(); ++k) ++rows.count[rows[k]], ++columns.count[columns[k]];
    std::vector<Cell> out;
    for (std::size_t k = 0; k < cells.size(); ++k)
      if (rows.count[rows[k]] > 1 && columns.count[columns[k]] > 1) out.push_back(cells[k]);
    if (out.size() == cells.size()) return out;
    cells = std::move(out);
  }
}

// Returns the number of connected components of rows and columns; each component is a layout of its own.
std::size_t parts_of(std::size_t cells, const Lines& rows, const Lines& columns) {
  std::vector<std::size_t> row(rows.count.size()), column(columns.count.size(), rows.count.size());
  for (std::size_t k = 0; k < row.size(); ++k) row[k] = k;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t k = 0; k < cells; ++k) {
      std::size_t &r = row[rows[k]], &c = column[columns[k]];
      if (r != c) r = c = std::min(r, c), changed = true;
    }
  }
  std::size_t out = 0;
  for (std::size_t k = 0; k < row.size(); ++k) out += row[k] == k;
  return out;
}

}  // namespace

Variance residual_variance(std::vector<Cell> all) {
  std::vector<Cell> cells = without_lone(std::move(all));
  if (cells.empty()) return {};
  Lines rows(cells, &Cell::row), columns(cells, &Cell::column);
  double moved = 1, scale = 0;
  for (std::size_t k = 0; k < cells.size(); ++k) {
    ++rows.count[rows[k]], ++columns.count[columns[k]];
    scale = std::max(scale, std::abs(cells[k].value));
  }
  // Row means and column means are subtracted alternately until nothing changes. Without gaps that takes one
  // sweep.
  for (int sweep = 0; sweep < 1000 && moved > 1e-13 * scale; ++sweep) {
    moved = 0;
    for (Lines* lines : {&rows, &columns}) {
      std::fill(lines->sum.begin(), lines->sum.end(), 0.0);
      for (std::size_t k = 0; k < cells.size(); ++k) lines->sum[(*lines)[k]] += cells[k].value;
      for (std::size_t k = 0; k < cells.size(); ++k) {
        const double mean = lines->sum[(*lines)[k]] / lines->count[(*lines)[k]];
        cells[k].value -= mean;
        moved = std::max(moved, std::abs(mean));
      }
    }
  }
  double squares = 0;
  for (const Cell& c : cells) squares += c.value * c.value;
  // In each component, rows and columns share one mean.
  const double freedom = static_cast<double>(cells.size() + parts_of(cells.size(), rows, columns)) -
                         static_cast<double>(rows.count.size() + columns.count.size());
  return freedom > 0 ? Variance{squares / freedom, freedom} : Variance{};
}

Interval paired_interval(const Paired& pair, const Variance& run, double level) {
  const double n = static_cast<double>(pair.differences.size());
  Interval out{mean_of(pair.differences), -kInfinity, kInfinity, static_cast<int>(pair.differences.size())};
  if (n < 2 || pair.own.freedom <= 0) return out;
  const bool knows = run.freedom > 0;
  double half = half_width(divided(pair.own, n), pair.documents, knows ? level : level / 2);
  if (knows)
    half = std::max(half, half_width(divided({2 * run.value, run.freedom}, n), pair.documents, level / 2));
  return {out.mean, out.mean - half, out.mean + half, out.count};
}

double power(double effect, int seeds, const Precision& p, double level) {
  const double n = seeds, own = n - 1 + p.own, run = 2 * p.run.value / n, whole = run + p.documents;
  if (!(whole > 0)) return effect > 0 ? 1 : 0;
  if (n < 2) return 0;
  // The uncertainty of the documents' variance depends on their number alone, which is large compared with
  // that of seeds.
  const Variance documents{p.documents, kNormalFreedom};
  const double bar = p.run.freedom > 0 ? half_width({run, p.run.freedom}, documents, level / 2) : 0;
  const double tail = p.run.freedom > 0 ? level : level / 2;
  const double quantile = t_quantile(1 - tail, freedom_of_sum({run, own}, documents));
  // Integrates over the pair's own variance: chi squared, by the cube of Wilson and Hilferty (1931).
  double sum = 0, weights = 0;
  constexpr double kEnd = 4, kStep = 0.2;  // in standard deviations
  for (double z = -kEnd; z < kEnd + kStep / 2; z += kStep) {
    const double root = std::max(0.0, 1 - 2 / (9 * own) + z * std::sqrt(2 / (9 * own)));
    const double half = std::max(bar, quantile * std::sqrt(run * root * root * root + p.documents));
    const double weight = std::exp(-z * z / 2);
    sum += weight * normal_below((effect - half) / std::sqrt(whole));
    weights += weight;
  }
  return sum / weights;
}

int seeds_for(double effect, const Precision& p, double level, double wanted, int least, int most) {
  Precision careful = p;
  if (p.run.freedom > 0) {
    const auto width = [&](double freedom) {
      return t_quantile(1 - level / 2, freedom) + t_quantile(wanted, freedom);
    };
    const double ratio = width(p.run.freedom) / width(kNormalFreedom);
    careful.run = {p.run.value * ratio * ratio, kNormalFreedom};
  }
  int n = least;
  while (n < most && power(effect, n, careful, level) < wanted) ++n;
  return n;
}

double visible_effect(int seeds, const Precision& p, double level, double wanted) {
  if (seeds < 2) return kInfinity;
  double low = 0, high = std::sqrt(2 * p.run.value + p.documents);
  if (high == 0) return 0;
  while (std::isfinite(high) && !(power(high, seeds, p, level) >= wanted)) high *= 2;
  if (!std::isfinite(high)) return kInfinity;
  constexpr int kBisections = 25;  // the error is a 3e-8th of the first interval
  for (int k = 0; k < kBisections; ++k)
    (power((low + high) / 2, seeds, p, level) < wanted ? low : high) = (low + high) / 2;
  return high;
}

Interval mean_interval(std::span<const double> x) {
  Interval out{mean_of(x), -kInfinity, kInfinity, static_cast<int>(x.size())};
  if (x.size() < 2) return out;
  const double n = static_cast<double>(x.size());
  const double half = t_quantile(0.975, n - 1) * std::sqrt(variance_of(x, out.mean) / n);
  return {out.mean, out.mean - half, out.mean + half, out.count};
}

}  // namespace gabbro::evolve
