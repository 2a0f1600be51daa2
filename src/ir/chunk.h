// Recurrences that are affine in their state, in parallel over chunks of positions.
//
// A scan runs T steps one after the other. Where the step is S' = D S + sum_r p_r (c_r . S) + sum_m u_m w_m
// with a diagonal D, everything inside a chunk of C positions follows from the state before the chunk by
// matrix products over pairs of positions (and, with terms c . S, the solution of a triangular system), and
// only T / C states remain to be computed in order. Known as the chunkwise form of linear attention (Yang et
// al. 2023, arXiv 2312.06635) and of the delta rule (Yang et al. 2024, arXiv 2406.06484); here it is derived
// from the step itself. A state without a value axis, or one that is read other than by contractions, becomes
// a diagonal recurrence (kRecur). What is neither keeps its step form.
//
// A processor with a large cache and few cores needs no chunks: there the whole recurrence becomes one op
// (kAffine), whose kernel goes through the positions while the state stays in cache. It takes decays of any
// sign, and none has to be a logarithm.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace gabbro::ir {

struct ChunkOptions {
  // One op for the whole recurrence (kAffine) instead of chunks: for a backend that has a kernel of its own
  // for it.
  bool fused = true;
  int scalar = 64;  // positions per chunk: one decay for all of the contracted axes
  int rank = 32;    // with terms c . S
  int channel = 8;  // a decay per channel
  // A larger state stays in step form rather than become a diagonal recurrence: its values at all positions
  // at once cost more than the calls they save.
  std::int64_t diagonal = 1024;
};

/// What became of one state of a scan of the given graph.
struct ChunkedState {
  int scan = 0;   // index in Graph::scans
  int state = 0;  // which of its states
  enum class Form { kStep, kDiagonal, kChunks, kFused } form = Form::kStep;
  std::string reason;  // kStep: why
};

struct Chunked {
  Graph graph;
  std::vector<NodeId>
      map;  // of body 0: node of the given graph -> node of `graph`; -1 for nodes of lowered scans
  std::vector<ChunkedState> states;
};

/// A graph that computes the same from the same parameters, tokens and inputs; parameters keep their numbers.
/// For graphs whose time holds more than a few positions and that are not stepped: a backend for it knows
/// kChunk, kUnchunk, kSolve, kRecur and, when asked for, kAffine. O(nodes).
Chunked chunk_scans(const Graph& graph, const ChunkOptions& options = {});

}  // namespace gabbro::ir
