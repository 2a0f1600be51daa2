#include "base/student.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gabbro {

namespace {

double log_beta(double a, double b) { return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b); }

// Evaluates the continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method. It
// converges quickly for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300, kRounding = 1e-15;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), out = d;
  for (int m = 1; m < 10'000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d), c = away_from_zero(1 + even / c), out *= c * d;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d), c = away_from_zero(1 + odd / c);
    out *= c * d;
    if (std::abs(c * d - 1) < kRounding) break;
  }
  return out;
}

// Returns the regularised incomplete beta function I_x(a, b).
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(a * std::log(x) + b * std::log1p(-x) - log_beta(a, b));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

// Returns the probability that a variable of Student's t distribution exceeds t, for t >= 0.
double t_tail(double t, double freedom) {
  if (freedom >= kNormalFreedom) return 0.5 * std::erfc(t / std::numbers::sqrt2);
  return 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double t_density(double t, double freedom) {
  if (freedom >= kNormalFreedom) return std::exp(-t * t / 2) / std::sqrt(2 * std::numbers::pi);
  return std::exp(-(freedom + 1) / 2 * std::log1p(t * t / freedom) - log_beta(freedom / 2, 0.5)) /
         std::sqrt(freedom);
}

}  // namespace

double t_quantile(double probability, double freedom) {
  if (probability < 0.5) return -t_quantile(1 - probability, freedom);
  const double tail = 1 - probability;
  const auto newton = [&](double t, double degrees) {
    for (int step = 0; step < 500; ++step) {
      const double next = std::max(0.0, t + (t_tail(t, degrees) - tail) / t_density(t, degrees));
      const bool converged = std::abs(next - t) <= 1e-12 * next;
      t = next;
      if (converged) break;
    }
    return t;
  };
  const double z = newton(0, kNormalFreedom);
  if (freedom >= kNormalFreedom) return z;
  // Newton's method starts at the first terms of an expansion about the normal quantile (Abramowitz and
  // Stegun 26.7.5).
  const double first = (z * z * z + z) / 4, second = (5 * std::pow(z, 5) + 16 * z * z * z + 3 * z) / 96;
  return newton(z + first / freedom + second / (freedom * freedom), freedom);
}

double effective_count(std::span<const double> sizes) {
  double sum = 0, squares = 0;
  for (const double size : sizes) sum += size, squares += size * size;
  return squares > 0 ? sum * sum / squares : 0;
}

}  // namespace gabbro
