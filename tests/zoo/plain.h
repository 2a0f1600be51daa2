// Vectors and loops for formulas, written without the language and its ops.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "zoo/harness.h"

namespace gabbro::testing {

using Vec = std::vector<double>;
using Mat = std::vector<Vec>;  // keys x values
using Index = std::vector<std::pair<std::string, int>>;

inline Index operator+(Index index, std::pair<std::string, int> more) {
  index.push_back(std::move(more));
  return index;
}

/// Returns x W along axis `out` of the weight. `fixed` sets its other axes except `in`, over which x is
/// contracted.
inline Vec project(const Vec& x, const Array& w, const Index& fixed, const std::string& out,
                   const std::string& in = "D") {
  Vec y(static_cast<std::size_t>(w.size(out)), 0);
  for (std::size_t i = 0; i < y.size(); ++i)
    for (std::size_t d = 0; d < x.size(); ++d)
      y[i] += x[d] * w.at(fixed + std::pair(out, static_cast<int>(i)) + std::pair(in, static_cast<int>(d)));
  return y;
}

/// Returns x . w for a weight without a result axis.
inline double scalar(const Vec& x, const Array& w, const Index& fixed, const std::string& in = "D") {
  double y = 0;
  for (std::size_t d = 0; d < x.size(); ++d) y += x[d] * w.at(fixed + std::pair(in, static_cast<int>(d)));
  return y;
}

/// Returns a parameter along one axis, at the indices `fixed` of its other axes.
inline Vec along(const Array& p, const std::string& axis, const Index& fixed = {}) {
  Vec y(static_cast<std::size_t>(p.size(axis)));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = p.at(fixed + std::pair(axis, static_cast<int>(i)));
  return y;
}

inline Vec map(Vec v, const std::function<double(double)>& f) {
  for (double& a : v) a = f(a);
  return v;
}
inline Vec add(Vec a, const Vec& b, double scale = 1) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += scale * b[i];
  return a;
}
inline Vec times(Vec a, const Vec& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] *= b[i];
  return a;
}
inline double dot(const Vec& a, const Vec& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}
inline double gelu(double v) { return v * 0.5 * std::erfc(-v / std::sqrt(2.0)); }
inline double log_sigmoid(double v) { return -std::log1p(std::exp(-v)); }

/// Returns v divided by its length, with the epsilon of l2_normalize.
inline Vec unit_length(const Vec& v) {
  return map(v, [n = std::sqrt(dot(v, v) + 1e-6)](double a) { return a / n; });
}
inline Vec rms(const Vec& v, double eps = 1e-6) {
  return map(v, [n = std::sqrt(dot(v, v) / static_cast<double>(v.size()) + eps)](double a) { return a / n; });
}
inline Vec layer_norm(Vec v, double eps = 1e-5) {
  double mean = 0;
  for (const double a : v) mean += a / static_cast<double>(v.size());
  for (double& a : v) a -= mean;
  return rms(v, eps);
}

/// Returns the depthwise causal convolution at position t of values given per position. The filter's axis of
/// positions is "w".
inline Vec convolve(const std::function<Vec(int)>& values, const Array& filter, const Index& fixed,
                    const std::string& axis, int t) {
  Vec y(static_cast<std::size_t>(filter.size(axis)), 0);
  for (int lag = 0; lag < filter.size("w") && lag <= t; ++lag)
    y = add(y, times(values(t - lag), along(filter, axis, fixed + std::pair(std::string("w"), lag))));
  return y;
}

/// Applies the rotary embedding of position t; element j is paired with element j of the second half.
inline Vec rotate(const Vec& v, int t) {
  Vec out(v.size());
  const std::size_t half = v.size() / 2;
  for (std::size_t j = 0; j < half; ++j) {
    const double angle = t * std::pow(10000.0, -2.0 * static_cast<double>(j) / static_cast<double>(v.size()));
    out[j] = v[j] * std::cos(angle) - v[j + half] * std::sin(angle);
    out[j + half] = v[j] * std::sin(angle) + v[j + half] * std::cos(angle);
  }
  return out;
}

/// Returns softmax attention at position t over the positions s <= t, limited to the last `window` of them.
inline Vec attend(int t, const std::function<double(int)>& score, const std::function<Vec(int)>& value,
                  int window = 1 << 20) {
  Vec y;
  double total = 0;
  for (int s = std::max(0, t - window + 1); s <= t; ++s) {
    const double weight = std::exp(score(s));
    total += weight;
    y = y.empty() ? map(value(s), [&](double a) { return weight * a; }) : add(y, value(s), weight);
  }
  return map(y, [&](double a) { return a / total; });
}

/// Computes y += o W for one head of an output map: o along the axis `in`, W at the indices `fixed`.
inline void add_output(Vec& y, const Vec& o, const Array& w, const Index& fixed, const std::string& in) {
  y = add(y, project(o, w, fixed, "D", in));
}

inline Mat zeros(int keys, int values) {
  return Mat(static_cast<std::size_t>(keys), Vec(static_cast<std::size_t>(values), 0));
}

/// Computes S += k v^T.
inline void write(Mat& S, const Vec& k, const Vec& v) {
  for (std::size_t i = 0; i < k.size(); ++i) S[i] = add(S[i], v, k[i]);
}
/// Computes S = diag(a) S.
inline void decay(Mat& S, const Vec& a) {
  for (std::size_t i = 0; i < a.size(); ++i)
    for (double& v : S[i]) v *= a[i];
}
/// Returns S^T q.
inline Vec read(const Mat& S, const Vec& q) {
  Vec o(S[0].size(), 0);
  for (std::size_t i = 0; i < q.size(); ++i) o = add(o, S[i], q[i]);
  return o;
}
/// Computes S += beta k (v - S^T e)^T: erases the value that e reads and writes v. With e = k, this is the
/// delta rule.
inline void delta(Mat& S, const Vec& k, const Vec& v, double beta, const Vec& e) {
  const Vec error = add(v, read(S, e), -1);
  for (std::size_t i = 0; i < k.size(); ++i) S[i] = add(S[i], error, beta * k[i]);
}

}  // namespace gabbro::testing
