// States before each step of a recurrence that only its adjoint reads: computed again, from those at every
// 16th position.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace gabbro::exec::torch {

/// What is not kept of the scans of body 0, by the nodes of the scans.
struct Replays {
  struct Adjoint {
    ir::NodeId forward = -1;
    std::vector<std::int32_t>
        states;  // per sequence of the adjoint: the state before the step that it is; -1: another value
  };
  std::map<ir::NodeId, std::vector<bool>>
      dropped;  // per output of the step: whether nobody needs it at every position
  std::map<ir::NodeId, Adjoint> adjoints;
};

/// A state is worth its steps where it is large: all of a scan that can be dropped are, or none. `runs`:
/// whether a scan node runs as a StepProgram. O(nodes).
Replays find_replays(const ir::Graph& graph, const std::vector<bool>& live,
                     std::span<const ir::NodeId> wanted, const std::function<bool(ir::NodeId)>& runs);

}  // namespace gabbro::exec::torch
