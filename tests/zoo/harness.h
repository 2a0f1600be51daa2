// Runs a zoo unit on random input and compares its output with an independent formula.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "exec/reference/reference.h"
#include "lang/elaborate.h"
#include "lang/parser.h"
#include "zoo/library.h"

namespace gabbro::testing {

/// A parameter as an array addressed by axis names, in any order. If W is the weight of `linear(x, [h, k])`
/// with x: [t, D], its elements are W.at({{"D", i}, {"h", a}, {"k", b}}). The second axis of a D to D map is
/// "D'".
class Array {
 public:
  Array() = default;
  Array(const ir::Graph& graph, exec::Tensor tensor) : tensor_(std::move(tensor)) {
    for (ir::AxisId a : tensor_.axes) names_.push_back(graph.axes[a].name);
  }
  [[nodiscard]] double at(const std::vector<std::pair<std::string, int>>& index) const {
    EXPECT_EQ(index.size(), names_.size());
    std::int64_t offset = 0;
    for (std::size_t d = 0; d < names_.size(); ++d) {
      std::int64_t i = -1;
      for (const auto& [name, value] : index)
        if (name == names_[d]) i = value;
      EXPECT_GE(i, 0) << "axis " << names_[d] << " is not given";
      EXPECT_LT(i, tensor_.dims[d]) << "axis " << names_[d];
      offset = offset * tensor_.dims[d] + i;
    }
    return tensor_.data[offset];
  }
  [[nodiscard]] std::int64_t size(const std::string& axis) const {
    for (std::size_t d = 0; d < names_.size(); ++d)
      if (names_[d] == axis) return tensor_.dims[d];
    ADD_FAILURE() << "no axis " << axis;
    return 0;
  }
  [[nodiscard]] const exec::Tensor& tensor() const { return tensor_; }

 private:
  exec::Tensor tensor_;
  std::vector<std::string> names_;
};

/// One run of an instance such as "GLA(heads=2)" in float64. x is the input and y the first output, [t][D].
struct UnitRun {
  int length = 0, width = 0;  // number of positions; D
  std::vector<std::vector<double>> x, y;
  lang::Elaboration elaboration;
  exec::Feed feed;

  /// Returns a parameter of the unit. It is named after what its statement assigns ("q" in q = linear(x, k)),
  /// or "out" in a return statement; further ones of a name are "q_2", "out_2", and a bias is "q.bias". Those
  /// of a child unit have its name in front: "norm.out".
  [[nodiscard]] Array param(const std::string& name) const {
    const auto& params = elaboration.graph.params;
    for (std::size_t i = 0; i < params.size(); ++i)
      if (params[i].name == "unit." + name) return Array(elaboration.graph, feed.params[i]);
    std::string known;
    for (const auto& p : params) known += " " + p.name;
    ADD_FAILURE() << "no parameter " << name << "; there are" << known;
    return {};
  }
};

/// Elaborates an instance and evaluates it on `length` positions of normal(0, 1) input. Each parameter is its
/// initial value if that is constant, or else 0, plus noise of standard deviation 0.4, so that all matter.
UnitRun run(const std::string& instance, int width = 16, int length = 7, std::uint64_t seed = 1);

/// Fails unless y of `run` is `formula(t)`, a vector of D elements, at every position, with an error of at
/// most 1e-9 (1 + |value|), and unless some of its elements are not 0.
void expect_formula(const UnitRun& run, const std::function<std::vector<double>(int t)>& formula);

/// Plain functions for formulas.
inline double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }
inline double silu(double v) { return v * sigmoid(v); }
inline double softplus(double v) { return std::log1p(std::exp(v)); }

}  // namespace gabbro::testing
