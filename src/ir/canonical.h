// The structural hash: one number per function that a design can be seen to be.
#pragma once

#include <cstdint>

#include "base/hash.h"
#include "ir/graph.h"

namespace gabbro::ir {

/// How sizes enter a hash: as formulas in D and V, so that it is the same at every width, or as the numbers
/// of the graph at hand.
enum class Sizes : std::uint8_t { kSymbolic, kConcrete };

/// Hash of the live part of `graph` as a function of its inputs and parameters. Names, source order, the
/// split into units, associativity and commutativity of sums and products, and where constant factors stand
/// do not matter; constants count to their last bit, and parameters by their roles and initial values. With
/// symbolic sizes the width at which the graph was built does not matter (a graph whose structure followed
/// from its width is hashed with it); with concrete ones, formulas that give the same number at this width
/// are one. Equal hashes mean isomorphic graphs, up to collisions of 128 bits: the hash covers a full
/// serialisation in which parameters and axes are numbered in traversal order. Traversal order follows
/// colours refined from both sides (Weisfeiler-Leman); where those leave ties between operands that are not
/// symmetric, equal functions may get different hashes (a missed duplicate, never a false one). O(nodes log
/// nodes).
Hash128 structural_hash(const Graph& graph, Sizes sizes = Sizes::kSymbolic);

}  // namespace gabbro::ir
