// The structural hash identifies designs that compute the same function.
#pragma once

#include <cstdint>
#include <string>

#include "base/hash.h"
#include "ir/graph.h"

namespace gabbro::ir {

/// The form in which sizes enter a hash: as formulas in D and V, which makes the hash independent of the
/// width, or as the concrete numbers of the given graph.
enum class Sizes : std::uint8_t { kSymbolic, kConcrete };

/// Returns a hash of the live part of `graph` as a function of its inputs and parameters.
/// The hash ignores names, source order, the split into units, the order of operands of sums and products,
/// and the position of constant factors. Constants are compared bit by bit, and parameters by their roles and
/// initial values. With symbolic sizes, the hash is independent of the width at which the graph was built,
/// unless the structure of the graph depends on the width (Graph::width_bound). With concrete sizes, formulas
/// that have the same value at this width are equal.
/// Equal hashes mean isomorphic graphs, up to collisions of 128 bits, because the hash covers a full
/// serialisation in which parameters and axes are numbered in traversal order. Traversal order follows
/// colours that are refined from operands and from users (Weisfeiler-Leman). Where ties remain between
/// operands that are not symmetric, equal functions may get different hashes: a duplicate may be missed, but
/// two different functions are never taken for one. O(nodes log nodes).
Hash128 structural_hash(const Graph& graph, Sizes sizes = Sizes::kSymbolic);

/// Returns a hash of the graph as it was built: its nodes in their order, with the names and axes of its
/// parameters, 16 hex digits. Designs with equal structural hashes may name their parameters differently;
/// saved arrays are matched to parameters by name, and fit only a graph with the same hash of this kind.
/// O(nodes).
std::string built_hash(const Graph& graph);

}  // namespace gabbro::ir
