// A dense float64 array with named axes.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace gabbro::exec {

/// Elements in row-major order over `axes` (in ascending order of id: time, past, then the others) with
/// extents `dims`.
struct Tensor {
  ir::AxisList axes;
  std::vector<std::int64_t> dims;
  std::vector<double> data;
};

}  // namespace gabbro::exec
