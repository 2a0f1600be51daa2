// Diagonal recurrences (kRecur) on the CPU.
#pragma once

#include <ATen/ATen.h>

#include "exec/torch/kernels.h"

namespace gabbro::exec::torch {

/// kRecur: h[t] = factor[t] h[t - 1] + added[t], from nothing at the start of each document; with amount 1
/// from the last position to the first, from nothing at the end of each. Runs in parallel over sequences and
/// blocks of elements.
at::Tensor recur(const Call& call);

}  // namespace gabbro::exec::torch
