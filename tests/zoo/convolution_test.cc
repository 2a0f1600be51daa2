// Tests long and short convolutions against plain loops.
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

TEST(Zoo, ShortConv) {
  const UnitRun r = run("ShortConv(width=3)");
  const auto gated = [&](int s) {
    return times(project(r.x[s], r.param("b"), {}, "D'"), project(r.x[s], r.param("out"), {}, "D'"));
  };
  expect_formula(r, [&](int t) {
    const Vec z = convolve(gated, r.param("filter"), {}, "D", t);
    return project(times(project(r.x[t], r.param("c"), {}, "D'"), z), r.param("out_2"), {}, "D'");
  });
}

TEST(Zoo, Trigram) {
  const UnitRun r = run("Trigram()");
  expect_formula(r, [&](int t) {
    Vec y = project(r.x[t], r.param("out"), {}, "D'");
    if (t >= 1) y = add(y, project(r.x[t - 1], r.param("out_2"), {}, "D'"));
    if (t >= 2) y = add(y, project(r.x[t - 2], r.param("out_3"), {}, "D'"));
    return y;
  });
}

// Filters are functions of the distance: a small network of sines and cosines, times an exponential window
// per channel.
TEST(Zoo, Hyena) {
  const UnitRun r = run("Hyena(features=3, hidden=5, width=2)");
  const int channels = 16;
  const auto filter = [&](const std::string& name, int lag, int c) {
    double value = 0;
    for (int m = 0; m < 5; ++m) {
      double inner = 0;
      for (int f = 0; f < 3; ++f) {
        const double angle = lag * std::exp(-static_cast<double>(f));
        inner += std::sin(angle) * r.param("inner").at({{"f", f}, {"m", m}}) +
                 std::cos(angle) * r.param("inner_2").at({{"f", f}, {"m", m}});
      }
      value += std::sin(inner) * r.param(name).at({{"m", m}, {"c", c}});
    }
    return value * std::exp(-lag * softplus(r.param("decay").at({{"c", c}})));
  };
  const auto short_conv = [&](const std::string& name, const std::string& weights, int t) {
    return convolve([&](int s) { return project(r.x[s], r.param(name), {}, "c"); }, r.param(weights), {}, "c",
                    t);
  };
  const auto long_conv = [&](const std::function<Vec(int)>& values, const std::string& name,
                             const std::string& direct, int t) {
    Vec y = times(values(t), along(r.param(direct), "c"));
    for (int s = 0; s <= t; ++s) {
      const Vec v = values(s);
      for (int c = 0; c < channels; ++c) y[c] += filter(name, t - s, c) * v[c];
    }
    return y;
  };
  const auto v = [&](int t) { return short_conv("v", "filter", t); };
  const auto z = [&](int t) {
    return times(short_conv("g1", "filter_2", t), long_conv(v, "filter1", "z", t));
  };
  expect_formula(r, [&](int t) {
    const Vec y = times(short_conv("g2", "filter_3", t), long_conv(z, "filter2", "y", t));
    return project(y, r.param("out"), {}, "D", "c");
  });
}

}  // namespace
}  // namespace gabbro::testing
