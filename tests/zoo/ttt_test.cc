// Tests test-time training, with the inner gradients written out by hand.
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

constexpr int kHeads = 2, kKey = 8, kWidth = 16;
constexpr double kEps = 1e-6;  // epsilon of the inner norm

Index head(int h) { return {{"h", h}}; }

Mat matrix(const Array& p, const std::string& rows, const std::string& columns, const Index& fixed) {
  Mat m;
  for (int i = 0; i < p.size(rows); ++i) m.push_back(along(p, columns, fixed + std::pair(rows, i)));
  return m;
}

double step_size(const UnitRun& r, int t, int h, double rate) {
  return rate / kKey * sigmoid(scalar(r.x[t], r.param("eta"), head(h)) + r.param("eta.bias").at(head(h)));
}

// Adds the normalised and gated output of one head through the output map.
void add_gated(Vec& y, const UnitRun& r, const Vec& o, int t, int h) {
  const Vec normed =
      add(times(layer_norm(o), along(r.param("norm.scale"), "o")), along(r.param("norm.out"), "o"));
  const Vec gate = map(project(r.x[t], r.param("out"), head(h), "o"), gelu);
  add_output(y, times(normed, gate), r.param("out_2"), head(h), "o");
}

// Returns the adjoint of z for the layer norm of z with scale `gain`, given the adjoint `dy`.
Vec layer_norm_gradient(const Vec& z, const Vec& gain, const Vec& dy) {
  const double n = static_cast<double>(z.size());
  const Vec ones(z.size(), 1), y = layer_norm(z, kEps), d = times(dy, gain);
  double mean = 0;
  for (const double v : z) mean += v / n;
  double variance = kEps;
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
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = project(r.x[t], r.param("q"), head(h), "k"),
                k = project(r.x[t], r.param("key"), head(h), "k");
      const Vec target = add(project(r.x[t], r.param("val"), head(h), "o"), k, -1);
      const Vec gain = along(r.param("gain"), "o", head(h)), offset = along(r.param("offset"), "o", head(h));
      const Vec z = add(read(W[h], k), b[h]);
      const Vec error = add(add(times(layer_norm(z, kEps), gain), offset), target, -1);
      const Vec dz = layer_norm_gradient(z, gain, map(error, [](double e) { return 2 * e; }));
      const double eta = step_size(r, t, h, 0.5);
      write(W[h], map(k, [&](double v) { return -eta * v; }), dz);
      b[h] = add(b[h], dz, -eta);
      const Vec fitted = add(times(layer_norm(add(read(W[h], q), b[h]), kEps), gain), offset);
      add_gated(y, r, add(q, fitted), t, h);
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
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = project(r.x[t], r.param("q"), head(h), "k"),
                k = project(r.x[t], r.param("key"), head(h), "k");
      const Vec target = add(project(r.x[t], r.param("val"), head(h), "o"), k, -1);
      const Vec gain = along(r.param("gain"), "o", head(h)), offset = along(r.param("offset"), "o", head(h));
      const Vec before = add(read(W[h], k), c[h]), inner = map(before, gelu),
                z = add(read(U[h], inner), b[h]);
      const Vec error = add(add(times(layer_norm(z, kEps), gain), offset), target, -1);
      const Vec dz = layer_norm_gradient(z, gain, map(error, [](double e) { return 2 * e; }));
      Vec dbefore(before.size());
      for (std::size_t f = 0; f < before.size(); ++f) dbefore[f] = dot(U[h][f], dz) * gelu_slope(before[f]);
      const double eta = step_size(r, t, h, 0.2);
      write(W[h], map(k, [&](double v) { return -eta * v; }), dbefore);
      write(U[h], map(inner, [&](double v) { return -eta * v; }), dz);
      c[h] = add(c[h], dbefore, -eta);
      b[h] = add(b[h], dz, -eta);
      const Vec after = add(read(U[h], map(add(read(W[h], q), c[h]), gelu)), b[h]);
      add_gated(y, r, add(q, add(times(layer_norm(after, kEps), gain), offset)), t, h);
    }
    return y;
  });
}

}  // namespace
}  // namespace gabbro::testing
