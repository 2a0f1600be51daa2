// RWKV-4, 6 and 7 against plain loops.
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

constexpr int kHeads = 2, kKey = 8, kWidth = 16;

Index head(int h) { return {{"h", h}}; }

// x_t + m (x_{t-1} - x_t), zero before the start.
Vec mixed(const UnitRun& r, int t, const Vec& m) {
  const Vec before = t > 0 ? r.x[t - 1] : Vec(kWidth, 0);
  return add(r.x[t], times(add(before, r.x[t], -1), m));
}
Vec mixed(const UnitRun& r, int t, const std::string& m) { return mixed(r, t, along(r.param(m), "D")); }

// The sums over the past: e^{-(t-1-i) w + k_i} for i < t, e^{u + k_t} for the current position.
TEST(Zoo, RWKV4) {
  const UnitRun r = run("RWKV4");
  const auto of = [&](const std::string& name, const std::string& mix, int t) {
    return project(mixed(r, t, mix), r.param(name), {}, "D'");
  };
  expect_formula(r, [&](int t) {
    const Vec w = map(along(r.param("w"), "D"), [](double v) { return std::exp(v); }),
              u = along(r.param("u"), "D");
    Vec num(kWidth, 0), den(kWidth, 0);
    for (int s = 0; s <= t; ++s) {
      const Vec k = of("key", "out_2", s), v = of("val", "out_3", s);
      for (int d = 0; d < kWidth; ++d) {
        const double weight = std::exp(k[d] + (s == t ? u[d] : -(t - 1 - s) * w[d]));
        num[d] += weight * v[d];
        den[d] += weight;
      }
    }
    Vec y = map(of("r", "out", t), sigmoid);
    for (int d = 0; d < kWidth; ++d) y[d] *= num[d] / den[d];
    return project(y, r.param("out_4"), {}, "D'");
  });
}

TEST(Zoo, RWKVChannelMix) {
  const UnitRun r = run("RWKVChannelMix(mult=2)");
  expect_formula(r, [&](int t) {
    const Vec key =
        map(project(mixed(r, t, "out"), r.param("key"), {}, "f"), [](double v) { return v > 0 ? v * v : 0; });
    const Vec gate = map(project(mixed(r, t, "out_2"), r.param("out_3"), {}, "D'"), sigmoid);
    return times(gate, project(key, r.param("out_4"), {}, "D", "f"));
  });
}

// Every projection mixes with weights that depend on the data; then y = (S + diag(u) k v^T)^T r, S = diag(w) S + k v^T.
TEST(Zoo, RWKV6) {
  const UnitRun r = run("RWKV6(heads=2, rank=4)");
  std::vector S(kHeads, zeros(kKey, kKey));
  const auto tanh_all = [](const Vec& v) { return map(v, [](double a) { return std::tanh(a); }); };
  // The mixing made by call number `call` of the function: its weight, then its low-rank map.
  const auto finch = [&](int t, int call) {
    const auto name = [&](int i) { return i == 1 ? std::string("out") : "out_" + std::to_string(i); };
    const Vec low = tanh_all(project(mixed(r, t, "base"), r.param(name(3 * call + 2)), {}, "rank"));
    return mixed(r, t,
                 add(along(r.param(name(3 * call + 1)), "D"),
                     project(low, r.param(name(3 * call + 3)), {}, "D", "rank")));
  };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = project(finch(t, 0), r.param("r"), head(h), "k"),
                k = project(finch(t, 1), r.param("key"), head(h), "k");
      const Vec v = project(finch(t, 2), r.param("val"), head(h), "v");
      const Vec gate = map(project(finch(t, 3), r.param("gate"), head(h), "v"), silu);
      const Vec low = tanh_all(project(finch(t, 4), r.param("d"), {}, "rank"));
      const Vec d =
          add(project(low, r.param("d_2"), head(h), "k", "rank"), along(r.param("w"), "k", head(h)));
      Vec o = read(S[h], q);
      o = add(o, v, dot(times(q, along(r.param("u"), "k", head(h))), k));
      decay(S[h], map(d, [](double a) { return std::exp(-std::exp(a)); }));
      write(S[h], k, v);
      const Vec normed =
          add(times(layer_norm(o), along(r.param("norm.scale"), "v")), along(r.param("norm.out"), "v"));
      add_output(y, times(normed, gate), r.param("out_16"), head(h), "v");
    }
    return y;
  });
}

// The transition matrix written out: diag(w) - (a c) c^T.
TEST(Zoo, RWKV7) {
  const UnitRun r = run("RWKV7(heads=2, rank=4)");
  std::vector S(kHeads, zeros(kKey, kKey));
  const auto lora = [&](int t, const std::string& mix, const std::string& down, const std::string& up,
                        const std::string& bias, int h, double (*f)(double)) {
    const Vec low = map(project(mixed(r, t, mix), r.param(down), {}, "rank"), f);
    return add(project(low, r.param(up), head(h), "k", "rank"), along(r.param(bias), "k", head(h)));
  };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = project(mixed(r, t, "r"), r.param("r_2"), head(h), "k");
      const Vec key = project(mixed(r, t, "key"), r.param("key_2"), head(h), "k");
      const Vec v = project(mixed(r, t, "val"), r.param("val_2"), head(h), "v");
      const Vec w = map(lora(t, "d", "d_2", "d_3", "d.bias", h, [](double a) { return std::tanh(a); }),
                        [](double a) { return std::exp(-std::exp(-0.5) * sigmoid(a)); });
      const Vec a = map(lora(t, "a", "a_2", "a_3", "a.bias", h, [](double b) { return b; }), sigmoid);
      const Vec c = unit_length(times(key, along(r.param("erased"), "k", head(h))));
      Vec l = key;
      for (int i = 0; i < kKey; ++i) l[i] *= 1 + (a[i] - 1) * r.param("written").at({{"h", h}, {"k", i}});
      Mat next = zeros(kKey, kKey);
      for (int i = 0; i < kKey; ++i)
        for (int j = 0; j < kKey; ++j) {
          for (int m = 0; m < kKey; ++m)
            next[i][j] += ((i == m ? w[i] : 0) - a[i] * c[i] * c[m]) * S[h][m][j];
          next[i][j] += l[i] * v[j];
        }
      S[h] = next;
      Vec o = add(times(layer_norm(read(S[h], q)), along(r.param("norm.scale"), "v")),
                  along(r.param("norm.out"), "v"));
      o = add(o, v, dot(times(q, l), along(r.param("bonus"), "k", head(h))));
      const Vec low = map(project(mixed(r, t, "gate"), r.param("gate_2"), {}, "rank"), sigmoid);
      add_output(y, times(o, project(low, r.param("gate_3"), head(h), "v", "rank")), r.param("out"), head(h),
                 "v");
    }
    return y;
  });
}

}  // namespace
}  // namespace gabbro::testing
