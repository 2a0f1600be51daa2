// Metrics with standard errors.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace gabbro::eval {

/// `error` is a standard error; not finite when there are too few items for one.
struct Estimate {
  double value = 0, error = 0;
};

/// Error: the sample deviation over the root of the number.
Estimate mean(std::span<const double> x);
/// exp of minus the mean of log-likelihoods; error by the delta method.
Estimate perplexity(std::span<const double> nats);

/// A prediction beside the truth.
struct Pair {
  int gold = 0, predicted = 0;
};
/// Matthews' correlation coefficient of labels 0 and 1 (1975); 0 when a row or a column of the table is
/// empty.
double matthews(std::span<const Pair> pairs);
/// 2 TP / (2 TP + FP + FN) of `label`; 0 when there is none.
double f1(std::span<const Pair> pairs, int label);
/// f1 of label 1 when there are two labels; the mean over all labels when there are more.
double f1_of(std::span<const Pair> pairs, int labels);

/// The statistic of the pairs, and its deviation over 1000 resamples with replacement of a fixed seed (Efron
/// 1979).
Estimate bootstrap(std::span<const Pair> pairs,
                   const std::function<double(std::span<const Pair>)>& statistic);

}  // namespace gabbro::eval
