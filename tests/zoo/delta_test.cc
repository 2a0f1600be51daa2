// Tests the delta-rule family against plain loops: two heads, width 16, seven positions.
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

constexpr int kHeads = 2, kKey = 8, kWidth = 16;

Index head(int h) { return {{"h", h}}; }
std::vector<Mat> states() { return std::vector(kHeads, zeros(kKey, kKey)); }

// Returns silu of the convolution of a projection.
Vec convolved(const UnitRun& r, int t, const std::string& name, const std::string& filter, const Index& at,
              const std::string& axis) {
  const auto values = [&](int s) { return project(r.x[s], r.param(name), at, axis); };
  return map(convolve(values, r.param(filter), at, axis, t), silu);
}

// Returns exp(-exp(p) softplus(x w + b)), one decay per head.
double head_decay(const UnitRun& r, int t, int h) {
  return std::exp(-std::exp(r.param("a").at(head(h))) *
                  softplus(scalar(r.x[t], r.param("a_2"), head(h)) + r.param("a_3").at(head(h))));
}

Vec normed(const UnitRun& r, const Vec& o) { return times(rms(o), along(r.param("norm.out"), "v")); }

// Adds the normalised output of a head, times silu of a projection, through the output map.
void add_gated(Vec& y, const UnitRun& r, const Vec& o, int t, int h) {
  const Vec gate = map(project(r.x[t], r.param("out"), head(h), "v"), silu);
  add_output(y, times(normed(r, o), gate), r.param("out_2"), head(h), "v");
}

TEST(Zoo, DeltaNet) {
  const UnitRun r = run("DeltaNet(heads=2)");
  auto S = states();
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = unit_length(convolved(r, t, "q", "filter", head(h), "k")),
                k = unit_length(convolved(r, t, "key", "filter_2", head(h), "k"));
      delta(S[h], k, convolved(r, t, "val", "filter_3", head(h), "v"),
            sigmoid(scalar(r.x[t], r.param("beta"), head(h))), k);
      add_output(y, normed(r, read(S[h], q)), r.param("out"), head(h), "v");
    }
    return y;
  });
}

TEST(Zoo, GatedDeltaNet) {
  const UnitRun r = run("GatedDeltaNet(heads=2)");
  auto S = states();
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = unit_length(convolved(r, t, "q", "filter", head(h), "k")),
                k = unit_length(convolved(r, t, "key", "filter_2", head(h), "k"));
      decay(S[h], Vec(kKey, head_decay(r, t, h)));
      delta(S[h], k, convolved(r, t, "val", "filter_3", head(h), "v"),
            sigmoid(scalar(r.x[t], r.param("beta"), head(h))), k);
      add_gated(y, r, map(read(S[h], q), [](double a) { return a / std::sqrt(kKey); }), t, h);
    }
    return y;
  });
}

// Takes several Householder-like steps per token, each with its own key, value and strength.
TEST(Zoo, DeltaProduct) {
  const UnitRun r = run("DeltaProduct(heads=2, steps=3)");
  auto S = states();
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      for (int j = 0; j < 3; ++j) {
        const Index at{{"h", h}, {"n", j}};
        const Vec k = unit_length(convolved(r, t, "key", "filter_2", at, "k"));
        delta(S[h], k, convolved(r, t, "val", "filter_3", at, "v"),
              2 * sigmoid(scalar(r.x[t], r.param("beta"), at)), k);
      }
      const Vec q = unit_length(convolved(r, t, "q", "filter", head(h), "k"));
      add_output(y, normed(r, read(S[h], q)), r.param("out"), head(h), "v");
    }
    return y;
  });
}

// Applies a decay per channel of the key, then the delta rule.
TEST(Zoo, KDA) {
  const UnitRun r = run("KDA(heads=2, rank=4)");
  auto S = states();
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec low = project(r.x[t], r.param("a_2"), {}, "rank");
      const Vec rate =
          add(project(low, r.param("a_3"), head(h), "k", "rank"), along(r.param("a.bias"), "k", head(h)));
      decay(S[h],
            map(rate, [&](double a) { return std::exp(-std::exp(r.param("a").at(head(h))) * softplus(a)); }));
      const Vec q = unit_length(convolved(r, t, "q", "filter", head(h), "k")),
                k = unit_length(convolved(r, t, "key", "filter_2", head(h), "k"));
      delta(S[h], k, convolved(r, t, "val", "filter_3", head(h), "v"),
            sigmoid(scalar(r.x[t], r.param("beta"), head(h))), k);
      const Vec o = normed(r, map(read(S[h], q), [](double a) { return a / std::sqrt(kKey); }));
      const Vec gate =
          project(project(r.x[t], r.param("out"), {}, "rank"), r.param("out_2"), head(h), "v", "rank");
      add_output(y, times(o, map(gate, sigmoid)), r.param("out_3"), head(h), "v");
    }
    return y;
  });
}

// The erased value is read with a key of its own, and the query is corrected by the key.
TEST(Zoo, Comba) {
  const UnitRun r = run("Comba(heads=2)");
  auto S = states();
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec k = unit_length(convolved(r, t, "key", "filter", head(h), "k"));
      const Vec q =
          add(unit_length(convolved(r, t, "q", "filter_2", head(h), "k")), k, -r.param("q_2").at(head(h)));
      const Vec p = map(k, [&](double a) { return a * sigmoid(r.param("feedback").at(head(h))); });
      decay(S[h], Vec(kKey, head_decay(r, t, h)));
      delta(S[h], k, convolved(r, t, "val", "filter_3", head(h), "v"),
            sigmoid(scalar(r.x[t], r.param("beta"), head(h))), p);
      add_gated(y, r, read(S[h], q), t, h);
    }
    return y;
  });
}

// The gradient of |k M - v|^2, derived by hand, is 2 k (k M - v).
TEST(Zoo, Titans) {
  const UnitRun r = run("Titans(heads=2)");
  auto M = states(), Z = states();
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    const Vec& x = r.x[t];
    for (int h = 0; h < kHeads; ++h) {
      const auto gate = [&](const std::string& name, const std::string& bias) {
        return sigmoid(scalar(x, r.param(name), head(h)) + r.param(bias).at(head(h)));
      };
      const double forget = gate("forget", "forget_2"), momentum = gate("momentum", "momentum.bias"),
                   rate = gate("rate", "rate.bias");
      const Vec q = unit_length(map(project(x, r.param("q"), head(h), "k"), silu)),
                k = unit_length(map(project(x, r.param("key"), head(h), "k"), silu));
      const Vec v = map(project(x, r.param("val"), head(h), "v"), silu), guess = read(M[h], k);
      for (int i = 0; i < kKey; ++i)
        for (int j = 0; j < kKey; ++j) {
          Z[h][i][j] = momentum * Z[h][i][j] - rate * 2 * k[i] * (guess[j] - v[j]);
          M[h][i][j] = (1 - forget) * M[h][i][j] + Z[h][i][j];
        }
      add_gated(y, r, read(M[h], q), t, h);
    }
    return y;
  });
}

}  // namespace
}  // namespace gabbro::testing
