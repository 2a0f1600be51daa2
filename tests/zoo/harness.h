// Runs a zoo unit on random input and passes input, parameters and output to an independent formula.
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

/// A parameter or a value, addressed by axis name: for `linear(x, [h, k])` from D, p.at({{"D", i}, {"h", a},
/// {"k", b}}). The second axis of a D to D map is "D'".
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

/// One run of an instance such as "GLA(heads=2)" in float64; x and y are [t][D].
struct UnitRun {
  int length = 0, width = 0;
  std::vector<std::vector<double>> x, y;
  lang::Elaboration elaboration;
  exec::Feed feed;

  /// Returns the parameter that statement `name` of the unit created: "q" for "unit.q", and "norm.out" for a
  /// child's parameter.
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

/// Elaborates and evaluates an instance. Parameters are drawn from normal(0, 0.4) plus their constant initial
/// value, so that no gate is trivial.
UnitRun run(const std::string& instance, int width = 16, int length = 7, std::uint64_t seed = 1);

/// Fails unless y of `run` equals `formula(t)`, a vector of D elements, at every position to 1e-9.
void expect_formula(const UnitRun& run, const std::function<std::vector<double>(int t)>& formula);

/// Plain functions for formulas.
inline double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }
inline double silu(double v) { return v * sigmoid(v); }
inline double softplus(double v) { return std::log1p(std::exp(v)); }

}  // namespace gabbro::testing
