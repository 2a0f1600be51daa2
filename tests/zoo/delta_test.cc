// Delta-rule mixers and retention against plain loops.
#include "zoo/harness.h"

namespace gabbro::testing {
namespace {

constexpr int kHeads = 2, kKey = 8, kWidth = 16;
using Vec = std::vector<double>;

// x W for head h, from [D] to one head's axis `out`.
Vec project(const Vec& x, const Array& w, int h, const std::string& out) {
  Vec y(w.size(out), 0);
  for (std::size_t i = 0; i < y.size(); ++i)
    for (int d = 0; d < kWidth; ++d) y[i] += x[d] * w.at({{"D", d}, {"h", h}, {out, static_cast<int>(i)}});
  return y;
}

double scalar(const Vec& x, const Array& w, int h) {
  double y = 0;
  for (int d = 0; d < kWidth; ++d) y += x[d] * w.at({{"D", d}, {"h", h}});
  return y;
}

// silu of the depthwise causal convolution of the projections of positions t, t-1, ...
Vec convolved(const UnitRun& r, int t, const std::string& name, const std::string& filter, int h,
              const std::string& out) {
  const Array w = r.param(name), f = r.param(filter);
  Vec y(w.size(out), 0);
  for (int lag = 0; lag < 4 && lag <= t; ++lag) {
    const Vec p = project(r.x[t - lag], w, h, out);
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] += f.at({{"w", lag}, {"h", h}, {out, static_cast<int>(i)}}) * p[i];
  }
  for (double& v : y) v = silu(v);
  return y;
}

Vec unit_length(Vec v) {
  double square = 0;
  for (double a : v) square += a * a;
  for (double& a : v) a /= std::sqrt(square + 1e-6);
  return v;
}

Vec rms_normed(Vec v, const Array& scale) {
  double square = 0;
  for (double a : v) square += a * a / static_cast<double>(v.size());
  for (std::size_t i = 0; i < v.size(); ++i)
    v[i] *= scale.at({{"v", static_cast<int>(i)}}) / std::sqrt(square + 1e-6);
  return v;
}

void add_output(Vec& y, const Vec& o, const Array& out, int h) {
  for (std::size_t v = 0; v < o.size(); ++v)
    for (int d = 0; d < kWidth; ++d) y[d] += o[v] * out.at({{"h", h}, {"v", static_cast<int>(v)}, {"D", d}});
}

// S <- S + beta k (v - S^T k)^T
void delta_step(std::vector<Vec>& S, const Vec& k, const Vec& v, double beta) {
  for (std::size_t j = 0; j < v.size(); ++j) {
    double read = 0;
    for (std::size_t i = 0; i < k.size(); ++i) read += S[i][j] * k[i];
    for (std::size_t i = 0; i < k.size(); ++i) S[i][j] += beta * k[i] * (v[j] - read);
  }
}

Vec read(const std::vector<Vec>& S, const Vec& q) {
  Vec o(S[0].size(), 0);
  for (std::size_t i = 0; i < q.size(); ++i)
    for (std::size_t j = 0; j < o.size(); ++j) o[j] += S[i][j] * q[i];
  return o;
}

std::vector<std::vector<Vec>> zero_states() { return std::vector(kHeads, std::vector(kKey, Vec(kKey, 0))); }

TEST(Zoo, DeltaNet) {
  const UnitRun r = run("DeltaNet(heads=2)");
  auto S = zero_states();
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = unit_length(convolved(r, t, "q", "filter", h, "k")),
                k = unit_length(convolved(r, t, "key", "filter_2", h, "k"));
      delta_step(S[h], k, convolved(r, t, "val", "filter_3", h, "v"),
                 sigmoid(scalar(r.x[t], r.param("beta"), h)));
      add_output(y, rms_normed(read(S[h], q), r.param("norm.out")), r.param("out"), h);
    }
    return y;
  });
}

TEST(Zoo, GatedDeltaNet) {
  const UnitRun r = run("GatedDeltaNet(heads=2)");
  auto S = zero_states();
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      Vec q = unit_length(convolved(r, t, "q", "filter", h, "k"));
      for (double& v : q) v /= std::sqrt(kKey);
      const Vec k = unit_length(convolved(r, t, "key", "filter_2", h, "k"));
      const double rate = std::exp(r.param("a").at({{"h", h}}));
      const double a =
          std::exp(-rate * softplus(scalar(r.x[t], r.param("a_2"), h) + r.param("a_3").at({{"h", h}})));
      for (Vec& row : S[h])
        for (double& v : row) v *= a;
      delta_step(S[h], k, convolved(r, t, "val", "filter_3", h, "v"),
                 sigmoid(scalar(r.x[t], r.param("beta"), h)));
      Vec o = rms_normed(read(S[h], q), r.param("norm.out"));
      const Vec gate = project(r.x[t], r.param("out"), h, "v");
      for (int v = 0; v < kKey; ++v) o[v] *= silu(gate[v]);
      add_output(y, o, r.param("out_2"), h);
    }
    return y;
  });
}

// The gradient of |k M - v|^2 by hand: 2 k (k M - v).
TEST(Zoo, Titans) {
  const UnitRun r = run("Titans(heads=2)");
  auto M = zero_states(), Z = zero_states();
  const auto silu_all = [](Vec v) {
    for (double& a : v) a = silu(a);
    return v;
  };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    const Vec& x = r.x[t];
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = unit_length(silu_all(project(x, r.param("q"), h, "k"))),
                k = unit_length(silu_all(project(x, r.param("key"), h, "k")));
      const Vec v = silu_all(project(x, r.param("val"), h, "v"));
      const double forget = sigmoid(scalar(x, r.param("forget"), h) + r.param("forget_2").at({{"h", h}}));
      const double momentum =
          sigmoid(scalar(x, r.param("momentum"), h) + r.param("momentum.bias").at({{"h", h}}));
      const double rate = sigmoid(scalar(x, r.param("rate"), h) + r.param("rate.bias").at({{"h", h}}));
      const Vec guess = read(M[h], k);
      for (int i = 0; i < kKey; ++i)
        for (int j = 0; j < kKey; ++j) {
          Z[h][i][j] = momentum * Z[h][i][j] - rate * 2 * k[i] * (guess[j] - v[j]);
          M[h][i][j] = (1 - forget) * M[h][i][j] + Z[h][i][j];
        }
      Vec o = rms_normed(read(M[h], q), r.param("norm.out"));
      const Vec gate = project(x, r.param("out"), h, "v");
      for (int j = 0; j < kKey; ++j) o[j] *= silu(gate[j]);
      add_output(y, o, r.param("out_2"), h);
    }
    return y;
  });
}

// The parallel form of retention: y_t = sum_s g^(t - s) (q_t . k_s) v_s, with rotary positions.
TEST(Zoo, Retention) {
  const UnitRun r = run("Retention(heads=2)");
  const auto rotated = [](Vec v, int t) {
    Vec out(v.size());
    const int half = static_cast<int>(v.size()) / 2;
    for (int j = 0; j < half; ++j) {
      const double angle = t * std::pow(10000.0, -2.0 * j / static_cast<double>(v.size()));
      out[j] = v[j] * std::cos(angle) - v[j + half] * std::sin(angle);
      out[j + half] = v[j] * std::sin(angle) + v[j + half] * std::cos(angle);
    }
    return out;
  };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = rotated(project(r.x[t], r.param("q"), h, "k"), t);
      Vec o(kKey, 0);
      for (int s = 0; s <= t; ++s) {
        const Vec k = rotated(project(r.x[s], r.param("key"), h, "k"), s),
                  v = project(r.x[s], r.param("val"), h, "v");
        double score = 0;
        for (int i = 0; i < kKey; ++i) score += q[i] * k[i] / std::sqrt(kKey);
        for (int j = 0; j < kKey; ++j) o[j] += std::pow(1 - std::pow(2.0, -5 - h), t - s) * score * v[j];
      }
      o = rms_normed(o, r.param("norm.out"));
      const Vec gate = project(r.x[t], r.param("out"), h, "v");
      for (int j = 0; j < kKey; ++j) o[j] *= silu(gate[j]);
      add_output(y, o, r.param("out_2"), h);
    }
    return y;
  });
}

// Causal softmax attention with biases.
TEST(Zoo, MultiHeadAttention) {
  const UnitRun r = run("MultiHeadAttention(heads=2)");
  const auto biased = [&](int s, const std::string& name, int h) {
    Vec v = project(r.x[s], r.param(name), h, "k");
    for (int i = 0; i < kKey; ++i) v[i] += r.param(name + ".bias").at({{"h", h}, {"k", i}});
    return v;
  };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int d = 0; d < kWidth; ++d) y[d] = r.param("out.bias").at({{"D", d}});
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = biased(t, "q", h);
      Vec o(kKey, 0);
      double total = 0;
      for (int s = 0; s <= t; ++s) {
        const Vec k = biased(s, "key", h), v = biased(s, "val", h);
        double score = 0;
        for (int i = 0; i < kKey; ++i) score += q[i] * k[i] / std::sqrt(kKey);
        total += std::exp(score);
        for (int j = 0; j < kKey; ++j) o[j] += std::exp(score) * v[j];
      }
      for (int j = 0; j < kKey; ++j)
        for (int d = 0; d < kWidth; ++d)
          y[d] += o[j] / total * r.param("out").at({{"h", h}, {"k", j}, {"D", d}});
    }
    return y;
  });
}

}  // namespace
}  // namespace gabbro::testing
