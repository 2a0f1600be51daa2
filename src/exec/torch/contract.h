// Products of values by axis names.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <vector>

namespace gabbro::exec::torch {

/// A tensor whose dimensions are named by numbers, each once.
struct Named {
  at::Tensor value;
  std::vector<int> names;
};

/// The sum of a * b over every name that is not in `out`, with dimensions in the order of `out` (a view where
/// that does). A dimension of extent 1 stands for all of the other operand's; one that neither has is not
/// allowed. Matrix products where there are any; with `half`, operands are in bfloat16, sums in float32,
/// rounded to bfloat16, and the result is float32.
at::Tensor contract(Named a, Named b, const std::vector<int>& out, bool half = false);

}  // namespace gabbro::exec::torch
