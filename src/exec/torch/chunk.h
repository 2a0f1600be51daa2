// Kernels of the ops that only lowered graphs have: chunks of positions, triangular systems, diagonal
// recurrences.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "exec/torch/kernels.h"

namespace gabbro::exec::torch {

/// kChunk, kUnchunk, kSolve, kRecur. Of kUnchunk and kChunk, `call.sequence` is that of the positions.
at::Tensor run_chunk_kernel(const Call& call);

/// Per node of body 0: 0 where time counts positions, else the size of the chunks it counts. kChunk begins
/// that, kUnchunk ends it; a node has it from what it reads (a sum over time too), or from its readers where
/// a value without time was repeated. O(nodes).
std::vector<std::int64_t> chunk_sizes(const ir::Graph& graph);

}  // namespace gabbro::exec::torch
