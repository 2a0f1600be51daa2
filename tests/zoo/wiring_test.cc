// Tests norms, channel units, blocks and wirings against plain loops.
#include "lang/check.h"
#include "zoo/embedded.h"
#include "zoo/plain.h"

namespace gabbro::testing {
namespace {

constexpr int kWidth = 16;

Vec rms_unit(const UnitRun& r, const Vec& x, const std::string& param) {
  return times(rms(x), along(r.param(param), "D"));
}
Vec relu(const Vec& x) {
  return map(x, [](double v) { return std::max(v, 0.0); });
}

TEST(Zoo, RMSNorm) {
  const UnitRun r = run("RMSNorm(eps=0.01)");
  expect_formula(r, [&](int t) { return times(rms(r.x[t], 0.01), along(r.param("out"), "D")); });
}

TEST(Zoo, LayerNorm) {
  const UnitRun r = run("LayerNorm(eps=0.01)");
  expect_formula(r, [&](int t) {
    return add(times(layer_norm(r.x[t], 0.01), along(r.param("scale"), "D")), along(r.param("out"), "D"));
  });
}

TEST(Zoo, MLP) {
  const UnitRun r = run("MLP(mult=2)");
  expect_formula(r, [&](int t) {
    return project(map(project(r.x[t], r.param("out"), {}, "f"), gelu), r.param("out_2"), {}, "D", "f");
  });
}

TEST(Zoo, SquaredReLUNetwork) {
  const UnitRun r = run("MLP(mult=2, act=SquaredReLU)");
  expect_formula(r, [&](int t) {
    const Vec f = relu(project(r.x[t], r.param("out"), {}, "f"));
    return project(times(f, f), r.param("out_2"), {}, "D", "f");
  });
}

TEST(Zoo, SwiGLU) {
  const UnitRun r = run("SwiGLU(mult=2)");
  expect_formula(r, [&](int t) {
    const Vec gate = map(project(r.x[t], r.param("gate"), {}, "f"), silu);
    return project(times(gate, project(r.x[t], r.param("out"), {}, "f")), r.param("out_2"), {}, "D", "f");
  });
}

// The chosen experts share the total weight 1; the others do nothing.
TEST(Zoo, MoE) {
  const UnitRun r = run("MoE(experts=4, active=2, mult=0.5)");
  expect_formula(r, [&](int t) {
    Vec p = map(project(r.x[t], r.param("p"), {}, "e"), [](double v) { return std::exp(v); });
    std::vector<int> order{0, 1, 2, 3};
    std::sort(order.begin(), order.end(), [&](int a, int b) { return p[a] > p[b]; });
    const double total = p[order[0]] + p[order[1]];
    Vec y(kWidth, 0);
    for (const int e : {order[0], order[1]}) {
      const Index at{{"e", e}};
      const Vec hidden = times(map(project(r.x[t], r.param("hidden"), at, "f"), silu),
                               project(r.x[t], r.param("hidden_2"), at, "f"));
      y = add(y, project(hidden, r.param("out"), at, "D", "f"), p[e] / total);
    }
    return y;
  });
}

// Tests the wiring of blocks, with simple units in their slots.
TEST(Zoo, Block) {
  const UnitRun r = run("Block(mixer=SquaredReLU, mlp=Sigmoid)");
  expect_formula(r, [&](int t) {
    const Vec f = relu(rms_unit(r, r.x[t], "norm.out")), y = add(r.x[t], times(f, f));
    return add(y, map(rms_unit(r, y, "norm_2.out"), sigmoid));
  });
}

TEST(Zoo, PostNormBlock) {
  const UnitRun r = run("PostNormBlock(mixer=SquaredReLU, mlp=Sigmoid, norm=RMSNorm)");
  expect_formula(r, [&](int t) {
    const Vec f = relu(r.x[t]), y = rms_unit(r, add(r.x[t], times(f, f)), "norm.out");
    return rms_unit(r, add(y, map(y, sigmoid)), "norm_2.out");
  });
}

TEST(Zoo, SandwichBlock) {
  const UnitRun r = run("SandwichBlock(mixer=SquaredReLU, mlp=Sigmoid)");
  expect_formula(r, [&](int t) {
    const Vec f = relu(rms_unit(r, r.x[t], "norm.out")),
              y = add(r.x[t], rms_unit(r, times(f, f), "norm_2.out"));
    return add(y, rms_unit(r, map(rms_unit(r, y, "norm_3.out"), sigmoid), "norm_4.out"));
  });
}

TEST(Zoo, ParallelBlock) {
  const UnitRun r = run("ParallelBlock(mixer=SquaredReLU, mlp=Sigmoid)");
  expect_formula(r, [&](int t) {
    const Vec n = rms_unit(r, r.x[t], "norm.out"), f = relu(n);
    return add(add(r.x[t], times(f, f)), map(n, sigmoid));
  });
}

// Three units lead down and three up. Unit i of the way up takes the output of unit 2 - i of the way down.
TEST(Zoo, UNet) {
  const UnitRun r = run("UNet(depth=3, down=RMSNorm, up=SiLU)");
  expect_formula(r, [&](int t) {
    const Vec a = rms_unit(r, r.x[t], "down.out"), b = rms_unit(r, a, "down_2.out"),
              c = rms_unit(r, b, "down_3.out");
    Vec z = map(add(c, times(c, along(r.param("z"), "D"))), silu);
    z = map(add(z, times(b, along(r.param("z_2"), "D"))), silu);
    return map(add(z, times(a, along(r.param("z_3"), "D"))), silu);
  });
}

// With two layers, the second mixes its values with those of the first.
TEST(Zoo, ValueResidual) {
  const int heads = 2;
  const UnitRun r = run("ValueResidual(layers=2, mixer=ResidualValueAttention(heads=2), mlp=SiLU)");
  const auto attention = [&](const std::string& path, const std::vector<Vec>& x,
                             const std::vector<Vec>& values, int t) {
    Vec y(kWidth, 0);
    for (int h = 0; h < heads; ++h) {
      const auto rotated = [&](const std::string& name, int s) {
        return rotate(project(x[s], r.param(path + name), {{"h", h}}, "k"), s);
      };
      const auto score = [&](int s) { return dot(rotated(".q", t), rotated(".key", s)) / std::sqrt(8.0); };
      const auto value = [&](int s) {
        return Vec(values[s].begin() + 8 * h, values[s].begin() + 8 * (h + 1));
      };
      add_output(y, attend(t, score, value), r.param(path + ".out"), {{"h", h}}, "k");
    }
    return y;
  };
  const auto mix = [&](const std::string& path, const Vec& x, const Vec& first) {
    const Vec own = project(x, r.param(path + ".value"), {}, "D'");
    const double a = r.param(path + ".value_2").at({}), b = r.param(path + ".value_3").at({});
    return add(map(own, [&](double v) { return a * v; }), first, b);
  };
  std::vector<Vec> n1, v1, y1, n2, v2;
  for (int t = 0; t < r.length; ++t) {
    n1.push_back(rms_unit(r, r.x[t], "norm.out"));
    v1.push_back(mix("mixer", n1[t], project(r.x[t], r.param("a"), {}, "D'")));
  }
  for (int t = 0; t < r.length; ++t) {
    const Vec start = add(r.x[t], attention("mixer", n1, v1, t));
    y1.push_back(add(start, map(rms_unit(r, start, "norm_2.out"), silu)));
    n2.push_back(rms_unit(r, y1[t], "norm_3.out"));
    v2.push_back(mix("mixer_2", n2[t], v1[t]));
  }
  expect_formula(r, [&](int t) {
    const Vec z = add(y1[t], attention("mixer_2", n2, v2, t));
    return add(z, map(rms_unit(r, z, "norm_4.out"), silu));
  });
}

// The stack has three recurrent blocks, then one attention block, twice, and a norm at the end.
TEST(Zoo, HybridStack) {
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    if (entry.file != "hybrid.gab") continue;
    const lang::CheckReport report = lang::check(entry.text, zoo::library());
    ASSERT_TRUE(report.valid());
    std::vector<std::string> mixers;
    for (const lang::InstanceInfo& i : report.subjects[0].elaboration.instances)
      if (i.unit == "GLA" || i.unit == "Attention") mixers.push_back(i.unit);
    EXPECT_EQ(mixers,
              (std::vector<std::string>{"GLA", "GLA", "GLA", "Attention", "GLA", "GLA", "GLA", "Attention"}));
    EXPECT_EQ(report.subjects[0].elaboration.instances.back().unit, "RMSNorm");
    return;
  }
  FAIL() << "no hybrid.gab";
}

}  // namespace
}  // namespace gabbro::testing
