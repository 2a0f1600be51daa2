#include "evolve/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace gabbro::evolve {

namespace {

// c^2 of the mixture: small, since differences worth finding are several times their deviation when a few seeds are to show them.
constexpr double kPrecision = 0.05;

struct Sums {
  double n = 0, sum = 0, squares = 0;
};

// log evidence against mean `mu`.
double log_evidence(const Sums& s, double mu) {
  const double sum = s.sum - s.n * mu, squares = s.squares - 2 * mu * s.sum + s.n * mu * mu;
  const double whole = (s.n + kPrecision) * squares;
  return 0.5 * std::log(kPrecision / (s.n + kPrecision)) +
         0.5 * s.n * (std::log(whole) - std::log(whole - sum * sum));
}

Sums sums_of(std::span<const double> x) {
  Sums s;
  for (const double v : x) s = {s.n + 1, s.sum + v, s.squares + v * v};
  return s;
}

double mean_of(std::span<const double> x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return x.empty() ? 0 : sum / static_cast<double>(x.size());
}

// The square of the deviation, by differences from the mean.
double variance_of(std::span<const double> x, double mean) {
  double sum = 0;
  for (const double v : x) sum += (v - mean) * (v - mean);
  return sum / static_cast<double>(x.size() - 1);
}

// What whole / (whole - sum^2) is where the evidence passes 1 / alpha.
double ratio_at(double n, double alpha) {
  return std::pow(std::sqrt((n + kPrecision) / kPrecision) / alpha, 2 / n);
}

// Whether n differences can refute anything: with few of them the evidence stays below its limit, whatever they are.
bool is_bounded(double n, double alpha) { return n + kPrecision > ratio_at(n, alpha) * kPrecision; }

}  // namespace

double evidence(std::span<const double> differences) {
  const Sums s = sums_of(differences);
  if (s.n < 2 || s.squares == 0) return 1;
  return std::exp(log_evidence(s, 0));
}

Interval anytime_interval(std::span<const double> x, double alpha) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Interval out{mean_of(x), -kInfinity, kInfinity, static_cast<int>(x.size())};
  if (x.size() < 2) return out;
  const double n = static_cast<double>(x.size()), variance = variance_of(x, out.mean);
  if (!is_bounded(n, alpha)) return out;
  if (variance == 0) return {out.mean, out.mean, out.mean, out.count};
  // Around the mean, with d = distance from it: whole = (n + c) (ss + n d^2), sum^2 = n^2 d^2, ss the sum of squares about the mean. The
  // evidence rises with d: (n + c)(ss + n d^2) = ratio ((n + c) ss + c n d^2) at the border.
  const double c = kPrecision, ss = variance * (n - 1), ratio = ratio_at(n, alpha);
  const double d = std::sqrt((ratio - 1) * (n + c) * ss / (n * ((n + c) - ratio * c)));
  return {out.mean, out.mean - d, out.mean + d, out.count};
}

int least_seeds(double alpha) {
  int n = 2;
  while (!is_bounded(n, alpha)) ++n;
  return n;
}

Interval mean_interval(std::span<const double> x) {
  // Student's t at 97.5 % for 1 to 30 degrees of freedom.
  static constexpr std::array<double, 30> kT{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                             2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                             2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                             2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Interval out{mean_of(x), -kInfinity, kInfinity, static_cast<int>(x.size())};
  if (x.size() < 2) return out;
  const double t = kT[std::min<std::size_t>(x.size() - 2, kT.size() - 1)];
  const double d = t * std::sqrt(variance_of(x, out.mean) / static_cast<double>(x.size()));
  return {out.mean, out.mean - d, out.mean + d, out.count};
}

}  // namespace gabbro::evolve
