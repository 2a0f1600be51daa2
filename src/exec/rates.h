// The rates, decays and matrices of an update: one rule for all backends.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "exec/model.h"
#include "ir/graph.h"

namespace gabbro::exec {

constexpr double kMuonMomentum = 0.95;

/// Returns the learning rate of a parameter, as muP gives it (Update explains why).
inline double rate_of(const ir::Graph& graph, const ir::Param& param, const Update& update) {
  const double table = param.role == ir::Role::kInput    ? update.input
                       : param.role == ir::Role::kOutput ? update.output
                                                         : 1;
  if (param.fan_in.empty()) return table * update.rate;
  return table * (update.rate * update.base_fan_in / static_cast<double>(ir::elements(graph, param.fan_in)));
}

/// Returns the weight decay of a parameter: 0 unless it is a matrix or a table.
inline double decay_of(const ir::Param& param, const Update& update) {
  return !param.fan_in.empty() || param.role == ir::Role::kInput ? update.decay : 0;
}

/// A parameter as a matrix: the axes contracted with the input are its columns.
struct MatrixView {
  std::vector<std::int64_t> order;  // permutes the parameter's axes: rows first
  std::int64_t rows = 1, columns = 1;
};

/// Returns the matrix that Muon updates, or nothing for a parameter that AdamW updates. Muon is for matrices
/// within the stack. The embedding tables and what has a single row or column, whose orthogonalisation would
/// only fix its length, are left to AdamW.
inline std::optional<MatrixView> muon_view(const ir::Graph& graph, const ir::Param& param,
                                           const Update& update) {
  if (update.rule != UpdateRule::kMuon || param.fan_in.empty() || param.role == ir::Role::kInput ||
      param.role == ir::Role::kOutput)
    return std::nullopt;
  MatrixView out;
  for (const bool is_column : {false, true})
    for (int i = 0; i < param.axes.size(); ++i) {
      const auto found = std::find(param.fan_in.begin(), param.fan_in.end(), param.axes[i]);
      if ((found != param.fan_in.end()) != is_column) continue;
      out.order.push_back(i);
      (is_column ? out.columns : out.rows) *= graph.axes[param.axes[i]].size;
    }
  if (out.rows == 1 || out.columns == 1) return std::nullopt;
  return out;
}

/// Returns the factor on the orthogonal matrix by which Muon updates a parameter.
inline double muon_size(const MatrixView& view, const Update& update) {
  // At the base fan-in, a matrix with at least as many rows as columns gets an update whose elements have the
  // root mean square of AdamW's, about 0.2 (Liu et al. 2025, arXiv 2502.16982, section 2.2). The spectral
  // norm grows as sqrt(rows / columns), so that one learning rate serves all widths (Yang et al. 2023, arXiv
  // 2310.17813).
  constexpr double kElementSize = 0.2;
  const double scale = kElementSize * std::sqrt(update.base_fan_in * static_cast<double>(view.rows) /
                                                static_cast<double>(view.columns));
  return scale * update.rate;
}

}  // namespace gabbro::exec
