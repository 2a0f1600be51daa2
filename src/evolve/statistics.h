// Intervals that hold however often one looks.
#pragma once

#include <span>

namespace gabbro::evolve {

struct Interval {
  double mean = 0, low = 0, high = 0;
  int count = 0;
  [[nodiscard]] bool below_zero() const { return high < 0; }
  [[nodiscard]] bool excludes_zero() const { return high < 0 || low > 0; }
};

/// Evidence against "differences are normal with mean 0 and any deviation": the scale-invariant mixture martingale of Lai (1976), as given by Wang and
/// Ramdas (2023, arXiv 2310.03722): sqrt(c^2 / (n + c^2)) ((n + c^2) V / ((n + c^2) V - S^2))^(n/2) with S the sum and V the sum of
/// squares. Its expectation is 1 under the null at every n, so that it passes 1 / alpha at any time with probability at most alpha. n >= 2.
double evidence(std::span<const double> differences);

/// The means that are not refuted at `alpha`: a confidence sequence, valid at all n at once. Fewer than least_seeds()
/// differences give an unbounded interval, more that are all equal one of no width. O(n).
Interval anytime_interval(std::span<const double> differences, double alpha = 0.05);

/// The fewest differences with which an anytime interval is bounded at `alpha`, so that it can exclude 0.
int least_seeds(double alpha = 0.05);

/// Mean and the t interval (fixed n), for values that are shown and decide nothing.
Interval mean_interval(std::span<const double> values);

}  // namespace gabbro::evolve
