// What the anchors and the probe share: the reference engine beside a backend.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exec/reference/reference.h"
#include "ir/ahead.h"
#include "ir/graph.h"

namespace gabbro::trial {

/// Losses in nats of `targets` under logits [t, V], one per position, in float64; 0 where nothing is asked
/// (exec::kNotAsked).
std::vector<double> losses_of(const exec::Tensor& logits, const std::vector<std::int64_t>& targets);

/// The largest |a - b|; infinite when the sizes differ, not a number when an element is.
double largest_difference(const std::vector<double>& a, const std::vector<double>& b);

using ir::looks_ahead;

/// Logits [t, V] decoded position by position. Needs a graph that does not look ahead.
exec::Tensor decoded(const ir::Graph& graph, ir::NodeId logits, const exec::Feed& feed);

}  // namespace gabbro::trial
