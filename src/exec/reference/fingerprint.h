// A numeric fingerprint of the function that a graph computes, independent of how the graph is written.
#pragma once

#include <array>
#include <span>

#include "ir/graph.h"

namespace gabbro::exec {

/// Holds random projections of the outputs, and the number of parameters. Inputs are fixed. The values of a
/// parameter depend only on its shape: the sizes of its axes, and which of them are contracted. Graphs that
/// compute the same function of parameters of the same shapes have the same fingerprint up to rounding.
/// Others have different fingerprints, except for coincidences among parameters of the same shape.
struct Fingerprint {
  std::array<double, 4> values{};
  std::size_t params = 0;
};

/// Evaluates `outputs` of body 0 over 5 positions, so the graph should have a small width. The cost is that
/// of exec::evaluate.
Fingerprint fingerprint(const ir::Graph& graph, std::span<const ir::NodeId> outputs);

/// Returns true if the fingerprints are equal to within 1e-7, relative to the largest value.
bool same_function(const Fingerprint& a, const Fingerprint& b);

}  // namespace gabbro::exec
