// Kernels of long convolutions.
//
// Positions are halved again and again: what the first half of a block adds to the second one is a product of Fourier transforms,
// for all blocks of a size at once; pairs within the smallest blocks are a matrix product. O(T log^2 T) per channel. One transform of
// the whole sequence would take fewer operations, but its rounding errors carry the future into the past; here no number of a later position
// enters a result, and a strong input at one position does not blur what lies before it. (Online multiplication: van der Hoeven 1997;
// for convolutions of language models: Oncescu et al. 2024, arXiv 2410.12982.)
#pragma once

#include <ATen/ATen.h>

#include "exec/torch/kernels.h"

namespace gabbro::exec::torch {

/// kDelay: 0, 1, 2 ... along time [1, T]. Distances beyond those of the longest document are counted as its last one: no pair
/// has them, and a filter that grows stays finite.
at::Tensor delays(const Call& call);

/// kConvolve. Sequence by sequence, on all threads. An infinite number or NaN may spread in its smallest block, within its document.
at::Tensor convolve(const Call& call);

}  // namespace gabbro::exec::torch
