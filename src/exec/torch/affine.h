// Affine recurrences (ir::Affine) on the CPU.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <vector>

#include "exec/torch/sequence.h"
#include "exec/torch/values.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// Returns the results of a kAffine node. Each of its operands `in` has the dimensions of its type after a
/// batch dimension, whose extent may be 1. Runs in parallel over sequences and shared axes. The adjoint sums
/// nothing across them, so results do not depend on the number of threads. If `marks` is given, the forward
/// run stores checkpoints of the state there; without them, the adjoint runs through all positions once more.
std::vector<at::Tensor> run_affine(const ir::Graph& graph, const ir::Affine& affine,
                                   const std::vector<at::Tensor>& in, Sequence& sequence,
                                   at::Tensor* marks = nullptr);

/// Returns the size of these checkpoints, in bytes, for `sequences` sequences of `length` positions at
/// `width` bytes per element.
std::int64_t mark_bytes(const ir::Graph& graph, const ir::Affine& affine, std::int64_t sequences,
                        std::int64_t length, std::int64_t width);

/// Maps each adjoint to the forward run whose checkpoints it uses: one with the same operands, if its
/// checkpoints take no more memory than the operands. O(nodes).
std::map<ir::NodeId, ir::NodeId> marked_affines(const ir::Graph& graph, const std::vector<bool>& live);

}  // namespace gabbro::exec::torch
