// Kernels of long convolutions.
//
// Sums over distances are added one after the other, each position from the start of its document: O(T^2)
// multiplications per channel, which run at the speed of vectors, and no value enters that is not summed.
// Fourier transforms would take O(T log^2 T), but one infinite value or a strong one spreads over their whole
// block, and up to some thousand positions they are slower on a CPU.
#pragma once

#include <ATen/ATen.h>

#include "exec/torch/kernels.h"

namespace gabbro::exec::torch {

/// kDelay: 0, 1, 2 ... along time [1, T]. Distances beyond those of the longest document are counted as its
/// last one: no pair has them, and the gradient of a filter that grows stays finite.
at::Tensor delays(const Call& call);

/// kConvolve: sequence by sequence and channel by channel, on all threads.
at::Tensor convolve(const Call& call);

}  // namespace gabbro::exec::torch
