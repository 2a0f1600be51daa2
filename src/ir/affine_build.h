// Builds an affine recurrence as one op.
#pragma once

#include <vector>

#include "ir/affine_match.h"

namespace gabbro::ir::affine {

/// Appends kAffine for `match` (which is not refused) and the nodes that read it. The state has type
/// `state_type`, without time, and must be zero before each document. Returns the values of match.reads, at
/// all positions.
std::vector<NodeId> build(Builder& b, const Match& match, const Type& state_type);

}  // namespace gabbro::ir::affine
