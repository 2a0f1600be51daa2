// Tensor contraction (einsum) by axis names.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <vector>

namespace gabbro::exec::torch {

/// A tensor and the name of each of its dimensions: a number, different for each.
struct Named {
  at::Tensor value;
  std::vector<int> names;
};

/// Returns the sum of a * b over every name that is not in `out`, with dimensions in the order of `out` (a
/// view where that is enough). A dimension of extent 1 is broadcast to the other operand's. `a` or `b` must
/// have each name of `out`. Uses matrix products where possible. With `half`, operands are bfloat16, sums are
/// computed in float32 and rounded to bfloat16, and the result is float32.
at::Tensor contract(Named a, Named b, const std::vector<int>& out, bool half = false);

}  // namespace gabbro::exec::torch
