// The chunkwise form of one state.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/chunk.h"
#include "ir/chunk_match.h"

namespace gabbro::ir::chunk {

/// Axes that lowered states share, made once per graph so that equal masks and cuts are equal nodes.
class ChunkAxes {
 public:
  explicit ChunkAxes(Graph& graph) : graph_(graph) {}
  /// An axis of that name and size.
  AxisId get(const std::string& name, std::int64_t size);

 private:
  Graph& graph_;
  std::map<std::pair<std::string, std::int64_t>, AxisId> made_;
};

/// log decay of a match: kNone where there is no decay; `fails` when one has no logarithm.
struct LogDecay {
  Product log;
  bool fails = false;
};
LogDecay log_decay(Builder& b, const Match& match);

/// Appends the chunkwise form of `match` for a state of type `state`, zero before each document; returns the
/// values of match.reads at all positions.
std::vector<NodeId> build_chunks(Builder& b, ChunkAxes& axes, const Match& match, const Type& state,
                                 const LogDecay& decay, const ChunkOptions& options);

/// The same as one op.
std::vector<NodeId> build_fused(Builder& b, const Match& match, const Type& state);

}  // namespace gabbro::ir::chunk
