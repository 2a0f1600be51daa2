// Describes how designs differ: the family a design belongs to, and the distance between two trees.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "lang/ast.h"

namespace gabbro::evolve {

/// Returns how a design mixes tokens, from its graph: "attention" (a normalised exponential over past
/// positions), "pairs" (other sums over past positions), "recurrence" (a scan affine in its state),
/// "nonlinear recurrence" or "shift", joined by " + ", or "none". O(nodes).
std::string species_of(const ir::Graph& graph);

/// A sorted multiset of hashes, one for each node of the expression trees with its children's labels. It is
/// compared instead of the trees, in the manner of pq-grams (Augsten et al. 2005). It covers the design and
/// the program's own units. O(size).
using Shape = std::vector<std::uint64_t>;
Shape shape_of(const lang::Program& program);

/// Returns the multiset distance 1 - |a and b| / |a or b|: 0 for equal trees, 1 for trees without a common
/// part. O(size).
double distance(const Shape& a, const Shape& b);

}  // namespace gabbro::evolve
