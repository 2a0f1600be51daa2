// Confidence intervals of differences between designs, and the number of seeds that they require.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gabbro::evolve {

/// A mean with its confidence interval.
struct Interval {
  double mean = 0, low = 0, high = 0;
  int count = 0;  // number of values; 0: there is no mean
  [[nodiscard]] bool below_zero() const { return high < 0; }
  [[nodiscard]] bool excludes_zero() const { return high < 0 || low > 0; }
};

/// An estimated variance and its degrees of freedom; 0 degrees mean that nothing is known.
struct Variance {
  double value = 0, freedom = 0;
};
/// Pools two estimates of the same variance, weighted by their degrees of freedom.
Variance pooled(const Variance& a, const Variance& b);

/// The score of a design (`row`) on a seed (`column`).
struct Cell {
  std::int64_t row = 0, column = 0;
  double value = 0;
};
/// Returns the residual variance of a two-way layout, which may have gaps: the variance of scores that
/// neither design nor seed explains. A design with a single seed, or a seed with a single design, contributes
/// nothing. No two cells may have the same row and column. Takes a few sweeps of O(cells).
Variance residual_variance(std::vector<Cell> cells);

/// Statistics of the difference between two designs whose runs are paired by seed.
struct Paired {
  std::vector<double> differences;  // one for each seed
  Variance own;                     // variance of one difference, from this pair alone
  Variance documents;               // variance of their mean due to the choice of documents
};

/// Returns the mean difference and its interval at confidence 1 - `level`. The number of seeds must have been
/// fixed before the runs began. `run` is the variance of one run, pooled over designs. The half width is the
/// larger of two: one uses the pooled variance (many degrees of freedom) with `level` / 2 on either side, the
/// other the pair's own variance with `level` on either side. If all designs have the same deviation, each
/// side errs with probability at most `level` / 2; whatever the deviation of these two, with at most `level`.
/// The interval is unbounded with fewer than two differences.
Interval paired_interval(const Paired& pair, const Variance& run, double level);

/// Inputs for planning a comparison.
struct Precision {
  Variance run;          // variance of one run
  double documents = 0;  // variance of a mean difference due to documents
  double own = 0;        // degrees of freedom of the pair's own variance beyond those from the comparison
};
/// Returns the probability that paired_interval excludes 0 on the correct side if the true difference is
/// `effect`. Assumes normal scores. Takes some 20 microseconds.
double power(double effect, int seeds, const Precision& precision, double level);
/// Returns the smallest number of seeds in least ... most whose power is at least `wanted`, allowing for the
/// uncertainty of the variance (Stein 1945); `most` if there is none.
int seeds_for(double effect, const Precision& precision, double level, double wanted, int least, int most);
/// Returns the smallest effect that is detected with power `wanted`; infinite with fewer than two seeds.
double visible_effect(int seeds, const Precision& precision, double level, double wanted);

/// Returns the mean and its 95 % t interval (fixed n), for values that are displayed and decide nothing.
Interval mean_interval(std::span<const double> values);

}  // namespace gabbro::evolve
