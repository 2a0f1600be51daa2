// Functions of the reference engine that the anchors and the probe share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exec/reference/reference.h"
#include "ir/ahead.h"
#include "ir/graph.h"

namespace gabbro::trial {

/// Returns the losses of `targets` in nats under logits [t, V], one per position, in float64. Targets that
/// are not scored (exec::kNotScored) get 0.
std::vector<double> losses_of(const exec::Tensor& logits, const std::vector<std::int64_t>& targets);

/// Returns the largest |a - b|. The result is infinite if the sizes differ, and NaN if a difference is.
double largest_difference(const std::vector<double>& a, const std::vector<double>& b);

using ir::looks_ahead;

/// Returns the logits [t, V] of `feed.tokens`, decoded position by position. The graph must not look ahead
/// (ir::looks_ahead).
exec::Tensor decode_logits(const ir::Graph& graph, ir::NodeId logits, const exec::Feed& feed);

}  // namespace gabbro::trial
