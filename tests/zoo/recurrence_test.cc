// Tests linear recurrences and xLSTM against plain loops, where possible by sums over the past instead of
// states.
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

constexpr int kHeads = 2, kKey = 8, kWidth = 16;

Index head(int h) { return {{"h", h}}; }

// Parallel form: y_t = sum_s f(q_t) . f(k_s) v_s, divided by the same sum without v.
TEST(Zoo, LinearAttention) {
  const UnitRun r = run("LinearAttention(heads=2)");
  const auto feature = [](double v) { return v < 0 ? std::exp(v) : v + 1; };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = map(project(r.x[t], r.param("q"), head(h), "k"), feature);
      Vec o(kKey, 0);
      double total = 1e-6;
      for (int s = 0; s <= t; ++s) {
        const double weight = dot(q, map(project(r.x[s], r.param("key"), head(h), "k"), feature));
        total += weight;
        o = add(o, project(r.x[s], r.param("val"), head(h), "v"), weight);
      }
      add_output(y, map(o, [&](double a) { return a / total; }), r.param("out"), head(h), "v");
    }
    return y;
  });
}

// y_t = sum_s g^(t - s) (q_t . k_s) v_s, with rotary positions.
TEST(Zoo, Retention) {
  const UnitRun r = run("Retention(heads=2)");
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = rotate(project(r.x[t], r.param("q"), head(h), "k"), t);
      Vec o(kKey, 0);
      for (int s = 0; s <= t; ++s) {
        const double score =
            dot(q, rotate(project(r.x[s], r.param("key"), head(h), "k"), s)) / std::sqrt(kKey);
        o = add(o, project(r.x[s], r.param("val"), head(h), "v"),
                std::pow(1 - std::pow(2.0, -5 - h), t - s) * score);
      }
      const Vec gate = map(project(r.x[t], r.param("out"), head(h), "v"), silu);
      add_output(y, times(times(rms(o), along(r.param("norm.out"), "v")), gate), r.param("out_2"), head(h),
                 "v");
    }
    return y;
  });
}

// S_t = diag(a_t) S_{t-1} + k_t v_t^T, with the gate from a low-rank map, raised to the power 1/16.
TEST(Zoo, GLA) {
  const UnitRun r = run("GLA(heads=2, rank=4)");
  std::vector S(kHeads, zeros(4, 8));
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec low = project(r.x[t], r.param("a"), {}, "rank");
      const Vec raw =
          add(project(low, r.param("a_2"), head(h), "k", "rank"), along(r.param("a.bias"), "k", head(h)));
      decay(S[h], map(raw, [](double a) { return std::pow(sigmoid(a), 1.0 / 16); }));
      write(S[h], project(r.x[t], r.param("key"), head(h), "k"),
            project(r.x[t], r.param("val"), head(h), "v"));
      const Vec q = map(project(r.x[t], r.param("q"), head(h), "k"), [](double a) { return a / 2; });
      const Vec gate = map(project(r.x[t], r.param("out"), head(h), "v"), silu);
      add_output(y, times(times(rms(read(S[h], q)), along(r.param("norm.out"), "v")), gate), r.param("out_2"),
                 head(h), "v");
    }
    return y;
  });
}

// The state is the sum of the values weighted by (1 - f_s) prod_{s < i <= t} f_i, per channel of the key.
TEST(Zoo, HGRN2) {
  const double bound = 0.2;
  const UnitRun r = run("HGRN2(heads=2, bound=0.2)");
  const auto forget = [&](int s, int h) {
    return map(project(r.x[s], r.param("f"), head(h), "k"),
               [&](double a) { return bound + (1 - bound) * sigmoid(a); });
  };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = map(project(r.x[t], r.param("q"), head(h), "k"), silu);
      Vec o(kKey, 0);
      for (int s = 0; s <= t; ++s) {
        Vec weight = map(forget(s, h), [](double f) { return 1 - f; });
        for (int i = s + 1; i <= t; ++i) weight = times(weight, forget(i, h));
        o = add(o, project(r.x[s], r.param("val"), head(h), "v"), dot(q, weight));
      }
      add_output(y, times(rms(o), along(r.param("norm.out"), "v")), r.param("out"), head(h), "v");
    }
    return y;
  });
}

// One state of `n` elements per channel; the number of channels is twice the width.
TEST(Zoo, Mamba) {
  const int n = 4, channels = 2 * kWidth;
  const UnitRun r = run("Mamba(state=4, rank=3, width=3)");
  Mat S = zeros(channels, n);
  const auto u_of = [&](int t) {
    return map(convolve([&](int s) { return project(r.x[s], r.param("u"), {}, "c"); }, r.param("filter"), {},
                        "c", t),
               silu);
  };
  expect_formula(r, [&](int t) {
    const Vec u = u_of(t), b = project(u, r.param("b"), {}, "n", "c"),
              c = project(u, r.param("r"), {}, "n", "c");
    const Vec low = project(u, r.param("dt"), {}, "rank", "c");
    const Vec dt =
        map(add(project(low, r.param("dt_2"), {}, "c", "rank"), along(r.param("dt_3"), "c")), softplus);
    Vec o(channels, 0);
    for (int i = 0; i < channels; ++i)
      for (int j = 0; j < n; ++j) {
        const double a = (1 + j) * std::exp(r.param("a").at({{"c", i}, {"n", j}}));
        S[i][j] = std::exp(-dt[i] * a) * S[i][j] + dt[i] * b[j] * u[i];
        o[i] += c[j] * S[i][j];
      }
    const Vec gate = map(project(r.x[t], r.param("out_2"), {}, "c"), silu);
    return project(times(add(o, times(u, along(r.param("out"), "c"))), gate), r.param("out_3"), {}, "D", "c");
  });
}

// One decay per head. All heads share the inputs and outputs of the state. A norm over all heads follows the
// gate.
TEST(Zoo, Mamba2) {
  const int per_head = 16, n = 4;
  const UnitRun r = run("Mamba2(heads=2, state=4, width=3)");
  std::vector S(kHeads, zeros(n, per_head));
  const auto conv_of = [&](const std::string& name, const std::string& filter, const Index& at,
                           const std::string& axis, int t) {
    return map(convolve([&](int s) { return project(r.x[s], r.param(name), at, axis); }, r.param(filter), at,
                        axis, t),
               silu);
  };
  expect_formula(r, [&](int t) {
    const Vec b = conv_of("b", "filter_2", {}, "n", t), c = conv_of("c", "filter_3", {}, "n", t);
    Vec all;
    for (int h = 0; h < kHeads; ++h) {
      const Vec u = conv_of("u", "filter", head(h), "p", t);
      const double dt = softplus(scalar(r.x[t], r.param("dt"), head(h)) + r.param("dt_2").at(head(h)));
      decay(S[h], Vec(n, std::exp(-dt * std::exp(r.param("a").at(head(h))))));
      write(S[h], b, map(u, [&](double v) { return dt * v; }));
      const Vec gate = map(project(r.x[t], r.param("out"), head(h), "p"), silu);
      for (const double v : times(add(read(S[h], c), u, r.param("skip").at(head(h))), gate)) all.push_back(v);
    }
    all = times(rms(all), along(r.param("norm.out"), "D"));
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h)
      add_output(y, Vec(all.begin() + h * per_head, all.begin() + (h + 1) * per_head), r.param("out_2"),
                 head(h), "p");
    return y;
  });
}

// Without the running maximum, the weights are exp(F_t - F_s + i_s), where F is the sum of log forget gates.
// |n . q| is at least 1.
TEST(Zoo, MLSTM) {
  const UnitRun r = run("MLSTM(heads=2)");
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const auto log_forget = [&](int s) {
        return log_sigmoid(scalar(r.x[s], r.param("f"), head(h)) + r.param("f_2").at(head(h)));
      };
      const Vec q = project(r.x[t], r.param("q"), head(h), "k");
      Vec o(kKey, 0);
      double normaliser = 0;
      for (int s = 0; s <= t; ++s) {
        double log_weight = scalar(r.x[s], r.param("i"), head(h)) + r.param("i.bias").at(head(h));
        for (int i = s + 1; i <= t; ++i) log_weight += log_forget(i);
        const double weight =
            std::exp(log_weight) * dot(q, project(r.x[s], r.param("key"), head(h), "k")) / std::sqrt(kKey);
        o = add(o, project(r.x[s], r.param("val"), head(h), "v"), weight);
        normaliser += weight;
      }
      o = map(o, [&](double a) { return a / std::max(std::abs(normaliser), 1.0); });
      const Vec gate = map(project(r.x[t], r.param("out"), head(h), "v"), sigmoid);
      add_output(y, times(times(rms(o), along(r.param("norm.out"), "v")), gate), r.param("out_2"), head(h),
                 "v");
    }
    return y;
  });
}

// Without the running maximum: c = f c + e^i z, n = f n + e^i, y = o c / n. The gates read the last output of
// their head.
TEST(Zoo, SLSTM) {
  const UnitRun r = run("SLSTM(heads=2)");
  std::vector<Vec> last(kHeads, Vec(kKey, 0)), c = last, n = last;
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const auto gate = [&](const std::string& name, const std::string& bias) {
        const Vec from_x =
            add(project(r.x[t], r.param(name + "x"), head(h), "k"), along(r.param(bias), "k", head(h)));
        return add(from_x, project(last[h], r.param(name), head(h), "k'", "k"));
      };
      const Vec z = map(gate("z", "zx.bias"), [](double v) { return std::tanh(v); });
      const Vec i = map(gate("i", "ix.bias"), [](double v) { return std::exp(v); });
      const Vec f = map(gate("f", "fx_2"), sigmoid), o = map(gate("o", "ox.bias"), sigmoid);
      for (int j = 0; j < kKey; ++j) {
        c[h][j] = f[j] * c[h][j] + i[j] * z[j];
        n[h][j] = f[j] * n[h][j] + i[j];
        last[h][j] = o[j] * c[h][j] / n[h][j];
      }
      add_output(y, times(rms(last[h]), along(r.param("norm.out"), "k")), r.param("out"), head(h), "k");
    }
    return y;
  });
}

TEST(Zoo, RGLRU) {
  const UnitRun r = run("RGLRU(width=3)");
  Vec state(kWidth, 0);
  const auto u_of = [&](int t) {
    return convolve([&](int s) { return project(r.x[s], r.param("u"), {}, "D'"); }, r.param("filter"), {},
                    "D", t);
  };
  expect_formula(r, [&](int t) {
    const Vec u = u_of(t);
    const auto gate = [&](const std::string& name) {
      return map(add(project(u, r.param(name), {}, "D'"), along(r.param(name + ".bias"), "D")), sigmoid);
    };
    const Vec rate = gate("r"), input = gate("i");
    for (int d = 0; d < kWidth; ++d) {
      const double a = std::exp(-8 * softplus(r.param("log_a").at({{"D", d}})) * rate[d]);
      state[d] = a * state[d] + std::sqrt(1 - a * a + 1e-6) * input[d] * u[d];
    }
    return project(times(state, map(project(r.x[t], r.param("out"), {}, "D'"), gelu)), r.param("out_2"), {},
                   "D'");
  });
}

}  // namespace
}  // namespace gabbro::testing
