// Tests the units of test-time training against formulas whose inner gradients are written out by hand.
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

constexpr int kHeads = 2, kWidth = 16, kKeyWidth = kWidth / kHeads;
constexpr double kInnerEps = 1e-6;  // of the inner norm (rms_normalize); the outer one, LayerNorm, has 1e-5

Index head(int h) { return {{"h", h}}; }

// Returns `p` as a matrix over its axes `rows` and `columns`. `fixed` holds the indices of its other axes.
Mat matrix(const Array& p, const std::string& rows, const std::string& columns, const Index& fixed) {
  Mat m;
  for (int i = 0; i < p.size(rows); ++i) m.push_back(along(p, columns, fixed + std::pair(rows, i)));
  return m;
}

// Returns `eta` of the unit, the inner learning rate of head h at position t.
double step_size(const UnitRun& r, int t, int h, double rate) {
  return rate / kKeyWidth *
         sigmoid(scalar(r.x[t], r.param("eta"), head(h)) + r.param("eta.bias").at(head(h)));
}

// Normalises and gates the output `o` of one head, and adds its part of the unit's output to `y`. Parameters
// of a return statement are named "out", "out_2": here the weights of the gate and of the output.
void add_gated(Vec& y, const UnitRun& r, const Vec& o, int t, int h) {
  const Vec normed =
      add(times(layer_norm(o), along(r.param("norm.scale"), "o")), along(r.param("norm.out"), "o"));
  const Vec gate = map(project(r.x[t], r.param("out"), head(h), "o"), gelu);
  add_output(y, times(normed, gate), r.param("out_2"), head(h), "o");
}

// Returns the gradient with respect to z of a loss, given its gradient `dout` with respect to
// layer_norm(z, kInnerEps) * gain.
Vec layer_norm_gradient(const Vec& z, const Vec& gain, const Vec& dout) {
  const double n = static_cast<double>(z.size());
  const Vec ones(z.size(), 1), y = layer_norm(z, kInnerEps), d = times(dout, gain);
  double mean = 0;
  for (const double v : z) mean += v / n;
  double variance = kInnerEps;
  for (const double v : z) variance += (v - mean) * (v - mean) / n;
  const double average = dot(d, ones) / n, along_y = dot(d, y) / n;
  Vec out(z.size());
  for (std::size_t i = 0; i < z.size(); ++i) out[i] = (d[i] - average - y[i] * along_y) / std::sqrt(variance);
  return out;
}

TEST(Zoo, TTTLinear) {
  const UnitRun r = run("TTTLinear(heads=2, rate=0.5)");
  std::vector<Mat> W;
  std::vector<Vec> b;
  for (int h = 0; h < kHeads; ++h) {
    W.push_back(matrix(r.param("W"), "k", "o", head(h)));
    b.push_back(along(r.param("b"), "o", head(h)));
  }
  // Formulas are evaluated at t = 0, 1, 2 ..., so W and b carry the state from one position to the next.
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = project(r.x[t], r.param("q"), head(h), "k"),
                k = project(r.x[t], r.param("key"), head(h), "k");
      // f(k) = k + LN(...) is fitted to val, so the norm is fitted to val - k.
      const Vec target = add(project(r.x[t], r.param("val"), head(h), "o"), k, -1);
      const Vec gain = along(r.param("gain"), "o", head(h)), offset = along(r.param("offset"), "o", head(h));
      const Vec guess = add(read(W[h], k), b[h]);
      const Vec error = add(add(times(layer_norm(guess, kInnerEps), gain), offset), target, -1);
      const Vec dguess = layer_norm_gradient(guess, gain, map(error, [](double e) { return 2 * e; }));
      const double eta = step_size(r, t, h, 0.5);
      write(W[h], map(k, [&](double v) { return -eta * v; }), dguess);  // W -= eta k dguess^T
      b[h] = add(b[h], dguess, -eta);
      const Vec z = add(read(W[h], q), b[h]);
      add_gated(y, r, add(q, add(times(layer_norm(z, kInnerEps), gain), offset)), t, h);
    }
    return y;
  });
}

TEST(Zoo, TTTMLP) {
  const UnitRun r = run("TTTMLP(heads=2, rate=0.2)");
  std::vector<Mat> W, U;
  std::vector<Vec> c, b;
  for (int h = 0; h < kHeads; ++h) {
    W.push_back(matrix(r.param("start_W"), "k", "f", head(h)));
    U.push_back(matrix(r.param("start_U"), "f", "o", head(h)));
    c.push_back(along(r.param("start_c"), "f", head(h)));
    b.push_back(along(r.param("start_b"), "o", head(h)));
  }
  const auto gelu_slope = [](double v) {
    return 0.5 * std::erfc(-v / std::sqrt(2.0)) + v * std::exp(-v * v / 2) / std::sqrt(2 * M_PI);
  };
  // Formulas are evaluated at t = 0, 1, 2 ..., so W, U, c and b carry the state from one position to the
  // next.
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = project(r.x[t], r.param("q"), head(h), "k"),
                k = project(r.x[t], r.param("key"), head(h), "k");
      // As above, the norm is fitted to val - k.
      const Vec target = add(project(r.x[t], r.param("val"), head(h), "o"), k, -1);
      const Vec gain = along(r.param("gain"), "o", head(h)), offset = along(r.param("offset"), "o", head(h));
      const Vec preactivation = add(read(W[h], k), c[h]), hidden = map(preactivation, gelu),
                guess = add(read(U[h], hidden), b[h]);
      const Vec error = add(add(times(layer_norm(guess, kInnerEps), gain), offset), target, -1);
      const Vec dguess = layer_norm_gradient(guess, gain, map(error, [](double e) { return 2 * e; }));
      Vec dpreactivation(preactivation.size());
      for (std::size_t f = 0; f < preactivation.size(); ++f)
        dpreactivation[f] = dot(U[h][f], dguess) * gelu_slope(preactivation[f]);
      const double eta = step_size(r, t, h, 0.2);
      write(W[h], map(k, [&](double v) { return -eta * v; }), dpreactivation);
      write(U[h], map(hidden, [&](double v) { return -eta * v; }), dguess);
      c[h] = add(c[h], dpreactivation, -eta);
      b[h] = add(b[h], dguess, -eta);
      const Vec z = add(read(U[h], map(add(read(W[h], q), c[h]), gelu)), b[h]);
      add_gated(y, r, add(q, add(times(layer_norm(z, kInnerEps), gain), offset)), t, h);
    }
    return y;
  });
}

}  // namespace
}  // namespace gabbro::testing
