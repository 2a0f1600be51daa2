// Tests RWKV time and channel mixing against plain loops.
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

constexpr int kHeads = 2, kKey = 8, kWidth = 16;

Index head(int h) { return {{"h", h}}; }

// Applies the LayerNorm in slot `norm` of the unit.
Vec normed(const UnitRun& r, const Vec& v) {
  return add(times(layer_norm(v), along(r.param("norm.scale"), "v")), along(r.param("norm.out"), "v"));
}

Vec before(const UnitRun& r, int t) { return t == 0 ? Vec(kWidth, 0) : r.x[t - 1]; }

// Returns mu x_t + (1 - mu) x_{t-1}, with zeros before the first position.
Vec shifted(const UnitRun& r, int t, const std::string& mu) {
  const Vec m = along(r.param(mu), "D"), last = before(r, t);
  Vec y(kWidth);
  for (int d = 0; d < kWidth; ++d) y[d] = m[d] * r.x[t][d] + (1 - m[d]) * last[d];
  return y;
}

double relu_squared(double v) { return v > 0 ? v * v : 0; }

// y_t = sigmoid(r_t) (sum_{i < t} e^{-(t-1-i) w + k_i} v_i + e^{u + k_t} v_t) / (the same with v = 1).
TEST(Zoo, Rwkv4) {
  const UnitRun r = run("RWKV4");
  const Vec log_w = along(r.param("w"), "D"), u = along(r.param("u"), "D");
  const auto linear = [&](int t, const std::string& name, const std::string& mu) {
    return project(shifted(r, t, mu), r.param(name), {}, "D'", "D");
  };
  expect_formula(r, [&](int t) {
    Vec num(kWidth, 0), den(kWidth, 0);
    for (int i = 0; i <= t; ++i) {
      const Vec k = linear(i, "key", "mu_2"), v = linear(i, "val", "mu_3");
      for (int d = 0; d < kWidth; ++d) {
        const double e = std::exp(k[d] + (i == t ? u[d] : -(t - 1 - i) * std::exp(log_w[d])));
        num[d] += e * v[d];
        den[d] += e;
      }
    }
    Vec o = map(linear(t, "r", "mu"), sigmoid);
    for (int d = 0; d < kWidth; ++d) o[d] *= num[d] / den[d];
    return project(o, r.param("out"), {}, "D'", "D");
  });
}

// y = sigmoid(R x') (V relu(K x'')^2).
TEST(Zoo, RwkvChannelMix) {
  const UnitRun r = run("RWKVChannelMix");
  EXPECT_EQ(r.param("key").size("f"), 4 * kWidth);
  expect_formula(r, [&](int t) {
    const Vec k = map(project(shifted(r, t, "mu"), r.param("key"), {}, "f", "D"), relu_squared);
    const Vec gate = map(project(shifted(r, t, "mu_2"), r.param("out"), {}, "D'", "D"), sigmoid);
    return times(gate, project(k, r.param("out_2"), {}, "D", "f"));
  });
}

// y = V relu(K x')^2.
TEST(Zoo, Rwkv7ChannelMix) {
  const UnitRun r = run("RWKV7ChannelMix");
  expect_formula(r, [&](int t) {
    const Vec k = map(project(shifted(r, t, "mu"), r.param("out"), {}, "f", "D"), relu_squared);
    return project(k, r.param("out_2"), {}, "D", "f");
  });
}

// Returns ddlerp number n of the unit: x_t + (x_{t-1} - x_t) (c + tanh(z A) B), with z = x_t + (x_{t-1} -
// x_t) m.
Vec ddlerp(const UnitRun& r, int t, int n) {
  const auto param = [&](int i) {
    const int number = 3 * n + i;
    return r.param(number == 1 ? "amount" : "amount_" + std::to_string(number));
  };
  const Vec m = along(r.param("z"), "D"), c = along(param(1), "D"), last = before(r, t);
  Vec x = r.x[t], z = x;
  for (int d = 0; d < kWidth; ++d) z[d] += (last[d] - x[d]) * m[d];
  const Vec low = map(project(z, param(2), {}, "r", "D"), [](double v) { return std::tanh(v); });
  const Vec amount = add(c, project(low, param(3), {}, "D", "r"));
  for (int d = 0; d < kWidth; ++d) x[d] += (last[d] - x[d]) * amount[d];
  return x;
}

// y_t = (S_{t-1} + diag(u) k_t v_t^T)^T r_t, S_t = diag(w_t) S_{t-1} + k_t v_t^T, w_t = exp(-exp(d_t)).
TEST(Zoo, Rwkv6) {
  const UnitRun r = run("RWKV6(heads=2, rank=4)");
  auto S = std::vector(kHeads, zeros(kKey, kKey));
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    const Vec low =
        map(project(ddlerp(r, t, 4), r.param("low"), {}, "f", "D"), [](double v) { return std::tanh(v); });
    for (int h = 0; h < kHeads; ++h) {
      const Vec receptance = project(ddlerp(r, t, 0), r.param("r"), head(h), "k"),
                k = project(ddlerp(r, t, 1), r.param("key"), head(h), "k"),
                v = project(ddlerp(r, t, 2), r.param("val"), head(h), "v"),
                gate = map(project(ddlerp(r, t, 3), r.param("gate"), head(h), "v"), silu);
      const Vec d = add(along(r.param("d"), "k", head(h)), project(low, r.param("d_2"), head(h), "k", "f"));
      Mat with_bonus = S[h];
      write(with_bonus, times(along(r.param("u"), "k", head(h)), k), v);
      const Vec o = normed(r, read(with_bonus, receptance));
      decay(S[h], map(d, [](double a) { return std::exp(-std::exp(a)); }));
      write(S[h], k, v);
      add_output(y, times(o, gate), r.param("out"), head(h), "v");
    }
    return y;
  });
}

// Values of one position for one head in RWKV-7, named as in the paper.
struct Rwkv7Head {
  Vec r, w, v, a, removed, written, gate;
};

Rwkv7Head rwkv7_head(const UnitRun& r, int t, int h) {
  const auto low_rank = [&](const std::string& mu, const std::string& down, const std::string& up,
                            const std::string& out, double (*act)(double)) {
    const Vec low = map(project(shifted(r, t, mu), r.param(down), {}, "rank", "D"), act);
    return project(low, r.param(up), head(h), out, "rank");
  };
  const auto same = [](double v) { return v; };
  const auto hyperbolic = [](double v) { return std::tanh(v); };
  Rwkv7Head p;
  p.r = project(shifted(r, t, "mu"), r.param("r"), head(h), "k");
  p.v = project(shifted(r, t, "mu_3"), r.param("val"), head(h), "v");
  p.w = add(along(r.param("d"), "k", head(h)), low_rank("mu_4", "d_2", "d_3", "k", hyperbolic));
  p.w = map(p.w, [](double d) { return std::exp(-std::exp(-0.5) * sigmoid(d)); });
  p.a = map(add(along(r.param("a.bias"), "k", head(h)), low_rank("mu_5", "a", "a_2", "k", same)), sigmoid);
  p.gate = low_rank("mu_6", "gate", "gate_2", "v", sigmoid);
  const Vec k = project(shifted(r, t, "mu_2"), r.param("key"), head(h), "k");
  p.removed = unit_length(times(k, along(r.param("removed"), "k", head(h))));
  p.written = k;
  const Vec alpha = along(r.param("written"), "k", head(h));
  for (int i = 0; i < kKey; ++i) p.written[i] *= (1 - alpha[i]) + alpha[i] * p.a[i];
  return p;
}

// Applies the paper's transition matrix in full: S_t = (diag(w) - (a n) n^T) S_{t-1} + k' v^T, where n is the
// removed key, normalised to length 1.
void rwkv7_step(Mat& S, const Rwkv7Head& p) {
  Mat next(kKey, Vec(kKey, 0));
  for (int i = 0; i < kKey; ++i)
    for (int j = 0; j < kKey; ++j) {
      const double transition = (i == j ? p.w[i] : 0) - p.a[i] * p.removed[i] * p.removed[j];
      for (int c = 0; c < kKey; ++c) next[i][c] += transition * S[j][c];
    }
  write(next, p.written, p.v);
  S = next;
}

TEST(Zoo, Rwkv7) {
  const UnitRun r = run("RWKV7(heads=2, rank=4)");
  auto S = std::vector(kHeads, zeros(kKey, kKey));
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Rwkv7Head p = rwkv7_head(r, t, h);
      rwkv7_step(S[h], p);
      Vec o = normed(r, read(S[h], p.r));
      const double bonus = dot(times(p.r, along(r.param("bonus"), "k", head(h))), p.written);
      for (int j = 0; j < kKey; ++j) o[j] += bonus * p.v[j];
      add_output(y, times(o, p.gate), r.param("out"), head(h), "v");
    }
    return y;
  });
}

}  // namespace
}  // namespace gabbro::testing
