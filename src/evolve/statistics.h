// Intervals of differences between designs, and how many seeds they take.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gabbro::evolve {

struct Interval {
  double mean = 0, low = 0, high = 0;
  int count = 0;
  [[nodiscard]] bool below_zero() const { return high < 0; }
  [[nodiscard]] bool excludes_zero() const { return high < 0 || low > 0; }
};

/// An estimated variance and the degrees of freedom of the estimate; freedom 0: nothing is known.
struct Variance {
  double value = 0, freedom = 0;
};
/// One estimate of what both estimate, weighted by their freedoms.
Variance pooled(const Variance& a, const Variance& b);

/// A score of a design (`row`) on a seed (`column`).
struct Cell {
  std::int64_t row = 0, column = 0;
  double value = 0;
};
/// The variance of scores that neither their design nor their seed explains: residuals of a two-way layout,
/// which may have gaps. Designs on one seed and seeds of one design are left out. Cells are unique. O(cells)
/// a sweep, a few sweeps.
Variance residual_variance(std::vector<Cell> cells);

/// What is known of the difference of two designs whose runs are paired by seed.
struct Paired {
  std::vector<double> differences;  // one for each seed
  Variance own;                     // of one difference, from this pair alone
  Variance documents;               // of their mean, by which documents were scored
};

/// The mean difference and its interval at 1 - `level`, for a number of seeds that was fixed before their
/// runs began. `run` is the variance of one run, pooled over designs. The half width is the larger of two:
/// with the pooled variance (many degrees of freedom) and `level` / 2 on either side, and with the pair's own
/// and `level` on either side. If all designs deviate alike, either side errs in at most `level` / 2;
/// whatever the deviation of these two, in at most `level`. Unbounded with fewer than two differences.
Interval paired_interval(const Paired& pair, const Variance& run, double level);

/// What a comparison is planned with.
struct Precision {
  Variance run;          // of one run
  double documents = 0;  // variance of a mean difference, by documents
  double own = 0;        // degrees of freedom of the pair's own variance beyond those of the comparison
};
/// The probability that paired_interval leaves out 0 on the right side when the difference is `effect`.
/// Normal scores; some 20 microseconds.
double power(double effect, int seeds, const Precision& precision, double level);
/// The fewest seeds in least ... most with a power of `wanted`, the uncertainty of the variance included
/// (Stein 1945); `most` if there are none.
int seeds_for(double effect, const Precision& precision, double level, double wanted, int least, int most);
/// The effect that is seen with the power `wanted`.
double visible_effect(int seeds, const Precision& precision, double level, double wanted);

/// Mean and the t interval at 95 % (fixed n), for values that are shown and decide nothing.
Interval mean_interval(std::span<const double> values);

}  // namespace gabbro::evolve
