#include "exec/torch/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/random.h"
#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::exec::torch {
namespace {

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  at::Tensor x = at::empty(shape, at::kDouble);
  Random stream(seed);
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data_ptr<double>()[i] = stream.normal();
  return x;
}

// Returns what `orthogonalized` must return, by its definition: the polynomial is applied five times to each
// singular value of the matrix, scaled to Frobenius norm 1.
at::Tensor by_singular_values(const at::Tensor& matrix) {
  const auto [u, s, vt] = at::linalg_svd(matrix / (matrix.norm() + 1e-7), /*full_matrices=*/false);
  at::Tensor value = s;
  for (int i = 0; i < 5; ++i) value = 3.4445 * value - 4.7750 * value.pow(3) + 2.0315 * value.pow(5);
  return u.mm(at::diag(value)).mm(vt);
}

double distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Muon, BringsSingularValuesNearOne) {
  for (const auto& [rows, columns] : {std::pair{24, 24}, {7, 90}, {90, 7}, {2, 2}})
    for (const double scale : {1e-3, 1.0, 1e18}) {
      const at::Tensor x = scale * random({rows, columns}, 5), y = orthogonalized(x);
      EXPECT_LT(distance(y, by_singular_values(x)), 1e-9) << rows << " x " << columns;
      if (rows == columns) continue;  // Square matrices have singular values near 0, which stay below 0.6.
      const at::Tensor s = at::linalg_svdvals(y);
      EXPECT_GT(s.min().item<double>(), 0.6);
      EXPECT_LT(s.max().item<double>(), 1.3);
    }
  const at::Tensor zero = at::zeros({4, 6}, at::kFloat);
  EXPECT_TRUE(orthogonalized(zero).equal(zero));
}

// Updates all parameters of a design twice, and compares matrices with Muon written out and all others with
// AdamW.
TEST(Muon, UpdatesTheMatricesWithinTheStackAndNothingElse) {
  const lang::CheckReport report = lang::check(
      "design M:\n    width = 32\n    vocab = 40\n    stack = [Block(mixer=GLA(heads=2)), RMSNorm]\n",
      zoo::library());
  ASSERT_TRUE(report.valid());
  const ir::Graph& graph = report.subjects.at(0).elaboration.graph;
  Parameters muon, adamw;
  std::vector<std::vector<at::Tensor>> gradients(2);
  std::vector<at::Tensor> before;
  for (std::size_t i = 0; i < graph.params.size(); ++i) {
    std::vector<std::int64_t> shape;
    for (const ir::AxisId axis : graph.params[i].axes) shape.push_back(graph.axes[axis].size);
    before.push_back(random(shape, i));
    for (Parameters* p : {&muon, &adamw}) {
      p->weights.push_back(before[i].clone());
      p->first.push_back(at::zeros(shape, at::kDouble));
      p->second.push_back(at::zeros(shape, at::kDouble));
    }
    for (std::uint64_t step = 0; step < 2; ++step)
      gradients[step].push_back(random(shape, 1000 + 2 * i + step));
  }
  const Update by_muon{.rule = UpdateRule::kMuon, .rate = 0.01, .decay = 0.1, .base_fan_in = 64};
  Update by_adamw = by_muon;
  by_adamw.rule = UpdateRule::kAdamW;
  const auto copy = [](std::vector<at::Tensor> list) {
    for (at::Tensor& x : list) x = x.clone();
    return list;
  };
  for (const auto& gradient : gradients) {
    apply(graph, muon, copy(gradient), 0.5, by_muon);
    apply(graph, adamw, copy(gradient), 0.5, by_adamw);
  }

  int matrices = 0;
  for (std::size_t i = 0; i < graph.params.size(); ++i) {
    const ir::Param& param = graph.params[i];
    if (param.fan_in.empty() || param.name == "embedding" || param.name == "head") {
      EXPECT_LT(distance(muon.weights[i], adamw.weights[i]), 1e-15) << param.name;
      continue;
    }
    ++matrices;
    std::vector<std::int64_t> contracted, front;
    std::int64_t in = 1;
    for (const ir::AxisId axis : param.fan_in) {
      contracted.push_back(std::find(param.axes.begin(), param.axes.end(), axis) - param.axes.begin());
      front.push_back(std::ssize(front));
      in *= graph.axes[axis].size;
    }
    const std::int64_t out = before[i].numel() / in;
    const auto matrix = [&](const at::Tensor& x) { return x.movedim(contracted, front).reshape({in, out}); };
    at::Tensor expected = matrix(before[i]), momentum = at::zeros({in, out}, at::kDouble);
    for (const auto& gradient : gradients) {
      const at::Tensor g = 0.5 * matrix(gradient[i]);
      momentum = 0.95 * momentum + 0.05 * g;
      const at::Tensor direction = by_singular_values(0.95 * momentum + 0.05 * g);
      expected =
          expected * (1 - 0.01 * 64.0 / static_cast<double>(in) * 0.1) -
          0.01 * 0.2 * std::sqrt(64.0 * static_cast<double>(out) / static_cast<double>(in)) * direction;
    }
    EXPECT_LT(distance(matrix(muon.weights[i]), expected), 1e-9) << param.name;
  }
  EXPECT_GT(matrices, 5);
}

}  // namespace
}  // namespace gabbro::exec::torch
