// A trained design that continues a text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/model.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// Reads one token after the other and tells what may follow. float32. Memory grows with the text only where
/// the design's state does.
class Decoder {
 public:
  /// `weights` by the names of the graph's parameters, each there and of its shape. The graph is copied.
  Decoder(const ir::Graph& graph, const std::vector<NamedArray>& weights, int threads);
  ~Decoder();
  /// The logits of the token after `token`.
  std::vector<float> step(std::int64_t token);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gabbro::exec::torch
