// Affine recurrences (ir::Affine) on the CPU.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "exec/torch/sequence.h"
#include "exec/torch/values.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// The results of a kAffine node whose operands are `in`, each of the form of its type with a batch (whose extent may be 1). In parallel over
/// sequences and shared axes; the adjoint adds nothing up across them, so results do not depend on the number of threads.
std::vector<at::Tensor> run_affine(const ir::Graph& graph, const ir::Affine& affine,
                                   const std::vector<at::Tensor>& in, Sequence& sequence);

/// h = factor h + added along time: `factor` and `added` are [B, T, ...], with extents of 1 for those that all share.
at::Tensor run_recur(const at::Tensor& factor, const at::Tensor& added,
                     const std::vector<std::int64_t>& sizes, bool backwards, const Sequence& sequence);

}  // namespace gabbro::exec::torch
