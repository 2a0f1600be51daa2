// Runs recurrences that are affine in their state in parallel over chunks of positions.
//
// A scan runs T steps one after the other. If the step is S' = D S + sum_r p_r (c_r . S) + sum_m u_m w_m with
// a diagonal D, everything inside a chunk of C positions follows from the state before the chunk by matrix
// products over pairs of positions (and, with terms c . S, the solution of a triangular system). Only T / C
// states remain to be computed in order. This is known as the chunkwise form of linear attention (Yang et al.
// 2023, arXiv 2312.06635) and of the delta rule (Yang et al. 2024, arXiv 2406.06484); here it is derived from
// the step itself. A state without a value axis, or one that is read other than by contractions, becomes a
// diagonal recurrence (kRecur). A state that fits neither form keeps its step form.
//
// A processor with a large cache and few cores needs no chunks. For it, the whole recurrence becomes one op
// (kAffine), whose kernel visits the positions in order while the state stays in cache. This op accepts
// decays of any sign, because it takes no logarithm of them.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace gabbro::ir {

struct ChunkOptions {
  // Emits one op for the whole recurrence (kAffine) instead of chunks. The backend needs a kernel for it.
  bool fused = true;
  // Positions per chunk, by the form of the update: one decay for all contracted axes; terms c . S; one decay
  // per channel.
  int scalar = 64;
  int rank = 32;
  int channel = 8;
  // Maximum number of elements of a state that becomes a diagonal recurrence. A larger state keeps its step
  // form, because storing its values at all positions costs more than the calls it saves.
  std::int64_t diagonal = 1024;
};

/// The form chosen for one state of a scan of the given graph.
struct ChunkedState {
  int scan = 0;   // index in Graph::scans
  int state = 0;  // index of the state in the scan
  enum class Form { kStep, kDiagonal, kChunks, kFused } form = Form::kStep;
  std::string reason;  // for kStep, why the state was not lowered
};

struct Chunked {
  Graph graph;
  // For each node of body 0 of the given graph, the node of `graph`; -1 for nodes of lowered scans.
  std::vector<NodeId> map;
  std::vector<ChunkedState> states;
};

/// Returns a graph that computes the same function of the same parameters, tokens and inputs. Parameters keep
/// their indices. Use it for sequences of more than a few positions that are not decoded step by step. The
/// backend must implement kChunk, kUnchunk, kSolve, kRecur and, if `fused`, kAffine. O(nodes).
Chunked chunk_scans(const Graph& graph, const ChunkOptions& options = {});

}  // namespace gabbro::ir
