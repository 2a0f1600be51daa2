// How designs are told apart: the family they belong to, and how far two trees are from each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "lang/ast.h"

namespace gabbro::evolve {

/// How a design mixes tokens, from its graph: "attention" (a normalised exponential over past positions),
/// "pairs" (other sums over past positions), "recurrence" (a scan affine in its state), "nonlinear
/// recurrence", "shift", joined by " + "; "none". O(nodes).
std::string species_of(const ir::Graph& graph);

/// The multiset of an expression tree's parts (each node with its children's labels), sorted: what is
/// compared instead of the tree, in the manner of pq-grams (Augsten et al. 2005). Of the design and of the
/// program's own units. O(size).
using Shape = std::vector<std::uint64_t>;
Shape shape_of(const lang::Program& program);

/// 1 - |a and b| / |a or b| as multisets: 0 for equal trees, 1 for trees without a common part. O(size).
double distance(const Shape& a, const Shape& b);

}  // namespace gabbro::evolve
