// Kernels of the reference backend: one obvious loop per op, on dense tensors.
#pragma once

#include <array>
#include <cstdint>

#include "exec/reference/nest.h"
#include "exec/reference/tensor.h"
#include "ir/graph.h"

namespace gabbro::exec {

/// One node to compute: its operands, the positions that they and the result cover, and the window of the
/// values with a past axis. A node never mixes two windows.
struct Call {
  const ir::Graph& graph;
  const ir::Node& node;
  std::array<const Tensor*, 3> in{};
  Frame frame;
  std::int32_t window = 0;
};

/// Makes `x` a tensor of zeros over `axes` in `frame`. Its storage is reused.
void reshape(Tensor& x, const ir::Graph& graph, const ir::AxisList& axes, const Frame& frame);

/// Computes `call.node` into `out`. Ops that read anything other than their operands (parameters, tokens,
/// inputs, arguments, scans) must be handled by the caller; here they are an internal error. Shift, past and
/// unpast need the whole sequence in the frame. The cost is the number of elements of the space that the op
/// loops over.
void run_kernel(const Call& call, Tensor& out);

}  // namespace gabbro::exec
