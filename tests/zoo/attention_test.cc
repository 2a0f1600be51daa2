// Tests softmax attention in its variants against plain loops: two heads, width 16, seven positions.
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

constexpr int kHeads = 2, kWidth = 16;

Index head(int h) { return {{"h", h}}; }
Index head_group(int h, int g) { return {{"h", h}, {"g", g}}; }
double scaled(const Vec& q, const Vec& k) { return dot(q, k) / std::sqrt(static_cast<double>(q.size())); }

// Grouped queries share keys and values, positions are rotary, and the window holds the last positions.
void expect_attention(const std::string& instance, int groups, int window) {
  const UnitRun r = run(instance);
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h)
      for (int g = 0; g < groups; ++g) {
        const Vec q = rotate(project(r.x[t], r.param("q"), head_group(h, g), "k"), t);
        const auto score = [&](int s) {
          return scaled(q, rotate(project(r.x[s], r.param("key"), head(h), "k"), s));
        };
        const auto value = [&](int s) { return project(r.x[s], r.param("val"), head(h), "k"); };
        add_output(y, attend(t, score, value, window), r.param("out"), head_group(h, g), "k");
      }
    return y;
  });
}

TEST(Zoo, Attention) { expect_attention("Attention(heads=2)", 1, 100); }
TEST(Zoo, GroupedQueryAttention) { expect_attention("Attention(heads=2, groups=2)", 2, 100); }
TEST(Zoo, SlidingWindowAttention) { expect_attention("Attention(heads=2, groups=2, window=3)", 2, 3); }

TEST(Zoo, MultiHeadAttention) {
  const UnitRun r = run("MultiHeadAttention(heads=2)");
  const auto biased = [&](const std::string& name, int s, int h) {
    return add(project(r.x[s], r.param(name), head(h), "k"), along(r.param(name + ".bias"), "k", head(h)));
  };
  expect_formula(r, [&](int t) {
    Vec y = along(r.param("out.bias"), "D");
    for (int h = 0; h < kHeads; ++h)
      add_output(y,
                 attend(
                     t, [&](int s) { return scaled(biased("q", t, h), biased("key", s, h)); },
                     [&](int s) { return biased("val", s, h); }),
                 r.param("out"), head(h), "k");
    return y;
  });
}

TEST(Zoo, LearnedPosition) {
  const UnitRun r = run("LearnedPosition(size=4)");
  expect_formula(r, [&](int t) { return add(r.x[t], along(r.param("out"), "D", {{"p", std::min(t, 3)}})); });
}

TEST(Zoo, PrimerAttention) {
  const UnitRun r = run("PrimerAttention(heads=2)");
  const auto convolved = [&](const std::string& name, const std::string& filter, int t, int h) {
    return convolve([&](int s) { return project(r.x[s], r.param(name), head(h), "k"); }, r.param(filter),
                    head(h), "k", t);
  };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = rotate(convolved("q", "filter", t, h), t);
      add_output(y,
                 attend(
                     t, [&](int s) { return scaled(q, rotate(convolved("key", "filter_2", s, h), s)); },
                     [&](int s) { return convolved("val", "filter_3", s, h); }),
                 r.param("out"), head(h), "k");
    }
    return y;
  });
}

TEST(Zoo, AlibiAttention) {
  const UnitRun r = run("AlibiAttention(heads=2)");
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const double slope = std::pow(2.0, -8.0 * (h + 1) / kHeads);
      const Vec q = project(r.x[t], r.param("q"), head(h), "k");
      add_output(y,
                 attend(
                     t,
                     [&](int s) {
                       return scaled(q, project(r.x[s], r.param("key"), head(h), "k")) - slope * (t - s);
                     },
                     [&](int s) { return project(r.x[s], r.param("val"), head(h), "k"); }),
                 r.param("out"), head(h), "k");
    }
    return y;
  });
}

TEST(Zoo, DifferentialAttention) {
  const double start = 0.3;
  const UnitRun r = run("DifferentialAttention(heads=2, initial=0.3)");
  const auto inner = [&](const std::string& a, const std::string& b) {
    return std::exp(dot(along(r.param(a), "k"), along(r.param(b), "k")));
  };
  const double lambda = inner("first", "first_2") - inner("second", "second_2") + start;
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const auto map_of = [&](const std::string& q, const std::string& k) {
        return attend(
            t,
            [&, query = rotate(project(r.x[t], r.param(q), head(h), "k"), t)](int s) {
              return scaled(query, rotate(project(r.x[s], r.param(k), head(h), "k"), s));
            },
            [&](int s) { return project(r.x[s], r.param("val"), head(h), "v"); });
      };
      Vec o = add(map_of("q1", "k1"), map_of("q2", "k2"), -lambda);
      o = map(times(rms(o), along(r.param("norm.out"), "v")), [&](double a) { return a * (1 - start); });
      add_output(y, o, r.param("out"), head(h), "v");
    }
    return y;
  });
}

TEST(Zoo, ForgettingAttention) {
  const UnitRun r = run("ForgettingAttention(heads=2)");
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const auto score = [&](int s) {
        double forgotten = 0;
        for (int i = s + 1; i <= t; ++i)
          forgotten += log_sigmoid(scalar(r.x[i], r.param("f"), head(h)) + r.param("f.bias").at(head(h)));
        return scaled(project(r.x[t], r.param("q"), head(h), "k"),
                      project(r.x[s], r.param("key"), head(h), "k")) +
               forgotten;
      };
      add_output(y, attend(t, score, [&](int s) { return project(r.x[s], r.param("val"), head(h), "k"); }),
                 r.param("out"), head(h), "k");
    }
    return y;
  });
}

TEST(Zoo, LatentAttention) {
  const UnitRun r = run("LatentAttention(heads=2, latent=6, rotary=4)");
  const auto latent = [&](int s) {
    return times(rms(project(r.x[s], r.param("compressed"), {}, "c")), along(r.param("norm.out"), "c"));
  };
  expect_formula(r, [&](int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h) {
      const Vec q = project(r.x[t], r.param("q"), head(h), "k"),
                p = rotate(project(r.x[t], r.param("p"), head(h), "r"), t);
      const auto score = [&](int s) {
        const Vec key = project(latent(s), r.param("key"), head(h), "k", "c");
        const Vec position = rotate(project(r.x[s], r.param("shared"), {}, "r"), s);
        return (dot(q, key) + dot(p, position)) / std::sqrt(static_cast<double>(q.size() + p.size()));
      };
      add_output(
          y, attend(t, score, [&](int s) { return project(latent(s), r.param("val"), head(h), "k", "c"); }),
          r.param("out"), head(h), "k");
    }
    return y;
  });
}

// Computes the slots as sums: slot m holds sum_s (1 - g_s) prod_{s < i <= t} g_i of keys and of values.
TEST(Zoo, GatedSlotAttention) {
  const int slots = 4;
  const UnitRun r = run("GSA(heads=2, slots=4)");
  const auto activated = [&](const std::string& name, int s, int h, const std::string& axis) {
    return map(project(r.x[s], r.param(name), head(h), axis), silu);
  };
  const auto gate = [&](int s, int h, int m) {
    return std::pow(sigmoid(scalar(r.x[s], r.param("g"), {{"h", h}, {"m", m}})), 1.0 / 8);
  };
  expect_formula(r, [&](int t) {
    Vec all;  // concatenated heads
    for (int h = 0; h < kHeads; ++h) {
      Mat keys, values;
      for (int m = 0; m < slots; ++m) {
        Vec key(8, 0), value(8, 0);
        for (int s = 0; s <= t; ++s) {
          double weight = 1 - gate(s, h, m);
          for (int i = s + 1; i <= t; ++i) weight *= gate(i, h, m);
          key = add(key, activated("key", s, h, "k"), weight);
          value = add(value, activated("val", s, h, "v"), weight);
        }
        keys.push_back(key);
        values.push_back(value);
      }
      const Vec o = attend(
          slots - 1, [&](int m) { return scaled(activated("q", t, h, "k"), keys[m]); },
          [&](int m) { return values[m]; });
      for (const double a : o) all.push_back(silu(a));
    }
    all = times(rms(all), along(r.param("norm.out"), "D"));
    Vec y(kWidth, 0);
    for (int h = 0; h < kHeads; ++h)
      add_output(y, Vec(all.begin() + 8 * h, all.begin() + 8 * (h + 1)), r.param("out"), head(h), "v");
    return y;
  });
}

}  // namespace
}  // namespace gabbro::testing
