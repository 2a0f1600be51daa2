// A number for what a model computes, whatever it looks like.
#pragma once

#include <array>
#include <span>

#include "ir/graph.h"

namespace gabbro::exec {

/// Projections of the outputs, at fixed inputs and with parameters whose values follow from their shapes
/// alone (the sizes of their axes and which are contracted), and the number of parameters. Graphs that are
/// the same function of parameters of the same shapes have the same fingerprint up to rounding; others
/// differ, but for coincidences among parameters of one shape.
struct Fingerprint {
  std::array<double, 4> values{};
  std::size_t params = 0;
};

/// Evaluates `outputs` of body 0 over 5 positions: use a graph of small width. Cost: that of exec::evaluate.
Fingerprint fingerprint(const ir::Graph& graph, std::span<const ir::NodeId> outputs);

/// Equal to within 1e-7, relative to the largest value.
bool same_function(const Fingerprint& a, const Fingerprint& b);

}  // namespace gabbro::exec
