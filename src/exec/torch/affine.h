// Affine recurrences (ir::Affine) on the CPU.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <vector>

#include "exec/torch/sequence.h"
#include "exec/torch/values.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// The results of a kAffine node whose operands are `in`, each of the form of its type with a batch (whose
/// extent may be 1). In parallel over sequences and shared axes; the adjoint adds nothing up across them, so
/// results do not depend on the number of threads. `marks`: states that the forward run leaves there for its
/// adjoint, which else runs through all positions once more; null: it leaves none.
std::vector<at::Tensor> run_affine(const ir::Graph& graph, const ir::Affine& affine,
                                   const std::vector<at::Tensor>& in, Sequence& sequence,
                                   at::Tensor* marks = nullptr);

/// Bytes of the marks of `sequences` sequences of `length` positions.
std::int64_t mark_bytes(const ir::Graph& graph, const ir::Affine& affine, std::int64_t sequences,
                        std::int64_t length, std::int64_t width);

/// The forward runs whose marks are kept, by adjoints: those of the same operands, as far as marks hold no
/// more than these. O(nodes).
std::map<ir::NodeId, ir::NodeId> marked_affines(const ir::Graph& graph, const std::vector<bool>& live);

/// h = factor h + added along time: `factor` and `added` are [B, T, ...], with extents of 1 for those that
/// all share.
at::Tensor run_recur(const at::Tensor& factor, const at::Tensor& added,
                     const std::vector<std::int64_t>& sizes, bool backwards, const Sequence& sequence);

}  // namespace gabbro::exec::torch
