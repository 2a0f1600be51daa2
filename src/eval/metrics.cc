#include "eval/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace gabbro::eval {

namespace {

std::size_t cluster_of(Clusters clusters, std::size_t item) {
  return clusters.empty() ? item : clusters[item];
}

std::size_t count_of(Clusters clusters, std::size_t items) {
  return clusters.empty() ? items : *std::max_element(clusters.begin(), clusters.end()) + 1;
}

}  // namespace

MetricEstimate mean(std::span<const double> x, Clusters clusters) {
  const auto n = static_cast<double>(x.size());
  double sum = 0;
  for (const double v : x) sum += v;
  const double value = sum / n;
  std::vector<double> deviations(count_of(clusters, x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) deviations[cluster_of(clusters, i)] += x[i] - value;
  double square = 0;
  for (const double v : deviations) square += v * v;
  const auto count = static_cast<double>(deviations.size());
  return {value, std::sqrt(square * count / (count - 1)) / n};
}

MetricEstimate perplexity(std::span<const double> nats, Clusters clusters) {
  const MetricEstimate m = mean(nats, clusters);
  const double value = std::exp(-m.value);
  return {value, value * m.error};
}

double Pair::share(int label) const {
  const bool predicts = (predicted >> label & 1) != 0;
  return predicts ? 1.0 / std::popcount(predicted) : 0;
}

double matthews(std::span<const Pair> pairs) {
  double count[2][2] = {};
  for (const Pair& p : pairs)
    for (const int label : {0, 1}) count[p.gold][label] += p.share(label);
  const double tn = count[0][0], fp = count[0][1], fn = count[1][0], tp = count[1][1];
  const double square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn);
  return square > 0 ? (tp * tn - fp * fn) / std::sqrt(square) : 0;
}

double f1(std::span<const Pair> pairs, int label) {
  double both = 0, either = 0;
  for (const Pair& p : pairs) {
    if (p.gold == label) both += p.share(label);
    either += (p.gold == label ? 1 : 0) + p.share(label);
  }
  return either > 0 ? 2 * both / either : 0;
}

double f1_of(std::span<const Pair> pairs, int labels) {
  if (labels == 2) return f1(pairs, 1);
  double sum = 0;
  for (int label = 0; label < labels; ++label) sum += f1(pairs, label);
  return sum / labels;
}

MetricEstimate bootstrap(std::span<const Pair> pairs,
                         const std::function<double(std::span<const Pair>)>& statistic, Clusters clusters) {
  constexpr int kResamples = 1000;
  constexpr std::uint64_t kSeed = 1234;
  Random random(kSeed);
  std::vector<std::vector<Pair>> drawn(count_of(clusters, pairs.size()));
  for (std::size_t i = 0; i < pairs.size(); ++i) drawn[cluster_of(clusters, i)].push_back(pairs[i]);
  std::vector<double> values;
  std::vector<Pair> sample;
  for (int i = 0; i < kResamples; ++i) {
    sample.clear();
    for (std::size_t k = 0; k < drawn.size(); ++k) {
      const std::vector<Pair>& cluster = random.pick(drawn);
      sample.insert(sample.end(), cluster.begin(), cluster.end());
    }
    values.push_back(statistic(sample));
  }
  const double deviation = mean(values).error * std::sqrt(static_cast<double>(kResamples));
  return {statistic(pairs), drawn.size() > 1 ? deviation : NAN};
}

}  // namespace gabbro::eval
