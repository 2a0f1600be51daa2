// Builds the chunkwise form of one state.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/chunk.h"
#include "ir/chunk_match.h"

namespace gabbro::ir::chunk {

/// Axes shared by the lowered states of a graph. Each is created once, so that equal masks and chunked values
/// become equal nodes.
class ChunkAxes {
 public:
  explicit ChunkAxes(Graph& graph) : graph_(graph) {}
  /// Returns the axis of that name and size; creates it on first use.
  AxisId get(const std::string& name, std::int64_t size);

 private:
  Graph& graph_;
  std::map<std::pair<std::string, std::int64_t>, AxisId> made_;
};

/// Logarithm of the decay of a match. A factor is kNone if there is no such decay; `fails` is set if no
/// logarithm of it can be derived.
struct LogDecay {
  Product log;
  bool fails = false;
};
LogDecay log_decay(Builder& b, const Match& match);

/// Appends the chunkwise form of `match` for a state of type `state` that is zero before each document.
/// Returns the values of match.reads at all positions.
std::vector<NodeId> build_chunks(Builder& b, ChunkAxes& axes, const Match& match, const Type& state,
                                 const LogDecay& decay, const ChunkOptions& options);

/// Does the same as a single op (kAffine).
std::vector<NodeId> build_fused(Builder& b, const Match& match, const Type& state);

}  // namespace gabbro::ir::chunk
