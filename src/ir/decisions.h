// Finds what a jump depends on. There, quotients.h and fuse.h keep how values are rounded; recurrences.h and
// convolve.h do not.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace gabbro::ir {

enum class Jumps : std::uint8_t {
  kSteps,         // floors, comparisons, top_k, conditions, indices of tables, powers of bases of any sign
  kStepsAndPoles  // also roots, logarithms and quotients at 0
};

/// The nodes of all bodies on whose exact values a jump may depend, through whatever lies between: values of
/// any distribution may be compared with each other. The larger of two values is no jump; where they tie, its
/// derivative is a convention. Steep functions without jumps, such as tanh(1e9 x), are not found: whoever
/// judges runs the graph as it is written. O(nodes) per round of marks through scans.
class Decisions {
 public:
  /// `graph` must outlive this.
  Decisions(const Graph& graph, Jumps jumps);

  /// Returns true if a jump depends on node `id` of body `body`.
  [[nodiscard]] bool operator()(std::size_t body, NodeId id) const {
    return decides_[body][static_cast<std::size_t>(id)];
  }

 private:
  void mark(std::size_t body, NodeId id);
  void sweep(std::size_t body);
  void bind(std::size_t body, const Scan& scan);

  const Graph& graph_;
  Jumps jumps_;
  std::vector<std::vector<bool>> decides_;
  bool grown_ = true;  // marks were added that the last sweeps may not have carried on
};

}  // namespace gabbro::ir
