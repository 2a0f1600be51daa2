// Builds an affine recurrence as one op.
#pragma once

#include <vector>

#include "ir/affine_match.h"

namespace gabbro::ir::affine {

/// Appends kAffine for `match`, whose state has type `state` and is zero before each document. Returns the
/// values of match.reads at all positions.
std::vector<NodeId> build(Builder& b, const Match& match, const Type& state);

}  // namespace gabbro::ir::affine
