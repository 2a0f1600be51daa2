#include "zoo/harness.h"

namespace gabbro::testing {
namespace {

// S_t = diag(a_t) S_{t-1} + k_t v_t^T, o_t = S_t^T q_t; output norm and gate as in the paper's layer.
TEST(Zoo, Gla) {
  const UnitRun r = run("GLA(heads=2, rank=4)");
  const int H = 2, K = 4, V = 8, D = 16;
  const Array wq = r.param("q"), wk = r.param("key"), wv = r.param("val"), low = r.param("a"),
              high = r.param("a_2"), bias = r.param("a.bias"), scale = r.param("norm.out"),
              gate = r.param("out"), out = r.param("out_2");
  std::vector S(H, std::vector(K, std::vector<double>(V, 0)));
  expect_formula(r, [&](int t) {
    const auto& x = r.x[t];
    std::vector<double> y(D, 0);
    for (int h = 0; h < H; ++h) {
      std::vector<double> o(V, 0);
      for (int k = 0; k < K; ++k) {
        double q = 0, key = 0, a = bias.at({{"h", h}, {"k", k}});
        for (int d = 0; d < D; ++d) {
          q += x[d] * wq.at({{"D", d}, {"h", h}, {"k", k}}) / std::sqrt(K);
          key += x[d] * wk.at({{"D", d}, {"h", h}, {"k", k}});
          for (int i = 0; i < 4; ++i)
            a += x[d] * low.at({{"D", d}, {"rank", i}}) * high.at({{"rank", i}, {"h", h}, {"k", k}});
        }
        a = std::pow(sigmoid(a), 1.0 / 16);
        for (int v = 0; v < V; ++v) {
          double val = 0;
          for (int d = 0; d < D; ++d) val += x[d] * wv.at({{"D", d}, {"h", h}, {"v", v}});
          S[h][k][v] = a * S[h][k][v] + key * val;
          o[v] += q * S[h][k][v];
        }
      }
      double square = 0;
      for (double v : o) square += v * v / V;
      for (int v = 0; v < V; ++v) {
        double g = 0;
        for (int d = 0; d < D; ++d) g += x[d] * gate.at({{"D", d}, {"h", h}, {"v", v}});
        const double normed = o[v] / std::sqrt(square + 1e-6) * scale.at({{"v", v}});
        for (int d = 0; d < D; ++d) y[d] += normed * silu(g) * out.at({{"h", h}, {"v", v}, {"D", d}});
      }
    }
    return y;
  });
}

}  // namespace
}  // namespace gabbro::testing
