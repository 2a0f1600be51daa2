// How much memory a run needs, before it runs.
#pragma once

#include <cstdint>
#include <span>

#include "exec/torch/executor.h"
#include "exec/torch/plan.h"

namespace gabbro::exec::torch {

/// Bytes of all values that are alive at once at the worst moment of a run of `plan` over `sequences`
/// sequences of `length` positions, on `threads` threads: results of its units from when they are computed to
/// their last reader, and what a unit needs in between. Without parameters. An estimate: the allocator's own
/// losses are not in it. O(nodes).
std::int64_t peak_bytes(const ir::Graph& graph, const Plan& plan, std::span<const ir::NodeId> wanted,
                        const Settings& settings, std::int64_t sequences, std::int64_t length, int threads);

}  // namespace gabbro::exec::torch
