// How values of a graph lie in ATen tensors.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "ir/graph.h"

namespace gabbro::exec::torch {

/// The dimensions of a value, in memory order: the batch when it has one, then the axes of its type in
/// ascending order (time, past, then the others). Values that vary over time have a batch; its extent may be
/// 1 where all sequences agree. In the step of a scan there is no time, and what depends on a state or a
/// sequence has a batch.
struct Form {
  bool batch = false;
  ir::AxisList axes;

  [[nodiscard]] int rank() const { return axes.size() + (batch ? 1 : 0); }
  /// The dimension of `axis`, or -1.
  [[nodiscard]] int dim(ir::AxisId axis) const {
    const int at = axes.find(axis);
    return at < 0 ? -1 : at + (batch ? 1 : 0);
  }
  friend bool operator==(const Form&, const Form&) = default;
};

/// The sizes of a value of `type` of sequences of `length`: first `batch`, unless it is 0, then those of the
/// axes in ascending order.
std::vector<std::int64_t> sizes_of(const ir::Graph& graph, const ir::Type& type, std::int64_t batch,
                                   std::int64_t length);

/// `x` with dimensions of extent 1 where `to` has more axes than `from`. A view.
at::Tensor align(const at::Tensor& x, const Form& from, const Form& to);

/// `x` whose dimensions stand for `axes` (in that order, after the batch) with its dimensions in ascending
/// order. A view.
at::Tensor ascending(const at::Tensor& x, bool batch, const ir::AxisList& axes);

}  // namespace gabbro::exec::torch
