// Metrics with standard errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace gabbro::eval {

/// `error` is the standard error; it is not finite if there are too few items.
struct MetricEstimate {
  double value = 0, error = 0;
};

/// The cluster of each item: items of one cluster ask the same, so that a second one tells nothing new.
/// Clusters are numbered from 0 without gaps. Empty: each item is its own.
using Clusters = std::span<const std::size_t>;

/// Returns the mean. The error is robust to clusters (Liang and Zeger 1986): with G clusters and n items, the
/// square root of G/(G-1) times the sum over clusters of their squared summed deviations, divided by n. Where
/// each item is its own cluster, that is the sample standard deviation over the square root of n.
MetricEstimate mean(std::span<const double> x, Clusters clusters = {});
/// Returns exp(-mean) of log-likelihoods in nats, with the error by the delta method.
MetricEstimate perplexity(std::span<const double> nats, Clusters clusters = {});

/// The correct label of an item, and the labels that are most likely, as a set: bit i stands for label i. If
/// there are k of them, each counts as predicted in 1/k of the item, as a guess among them would be on
/// average.
struct Pair {
  int gold = 0;
  std::uint64_t predicted = 0;
  /// Returns the share of the item in which `label` is predicted.
  [[nodiscard]] double share(int label) const;
};
/// Returns Matthews' correlation coefficient (1975) of labels 0 and 1, or 0 if a row or a column of the table
/// is empty.
double matthews(std::span<const Pair> pairs);
/// Returns 2 TP / (2 TP + FP + FN) for `label`, or 0 if the label does not occur.
double f1(std::span<const Pair> pairs, int label);
/// Returns the F1 score of label 1 if there are two labels, or the mean over all `labels` labels if there are
/// more.
double f1_of(std::span<const Pair> pairs, int labels);

/// Returns the statistic of the pairs. The error is its standard deviation over 1000 bootstrap resamples of
/// whole clusters with a fixed random seed (Efron 1979).
MetricEstimate bootstrap(std::span<const Pair> pairs,
                         const std::function<double(std::span<const Pair>)>& statistic,
                         Clusters clusters = {});

}  // namespace gabbro::eval
