// The structural hash: one number per function that a design can be seen to be.
#pragma once

#include "base/hash.h"
#include "ir/graph.h"

namespace gabbro::ir {

/// Hash of the live part of `graph` as a function of its inputs and parameters. Names, source order, the split into units,
/// associativity and commutativity of sums and products, and constant factors do not matter; neither does the width at which
/// the graph was built, since sizes enter as symbols (a graph whose structure followed from its width is hashed with it). Equal hashes mean isomorphic graphs, up to collisions of 128 bits: the
/// hash covers a full serialisation in which parameters and axes are numbered in traversal order. Traversal order follows
/// colours refined from both sides (Weisfeiler-Leman); where those leave ties between operands that are not symmetric,
/// equal functions may get different hashes (a missed duplicate, never a false one). O(nodes log nodes).
Hash128 structural_hash(const Graph& graph);

}  // namespace gabbro::ir
