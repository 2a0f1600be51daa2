// Runs a design on whole texts before it is trained.
#pragma once

#include <vector>

#include "exec/model.h"
#include "ir/graph.h"
#include "record/anchor.h"

namespace gabbro::trial {

/// Runs `model`, with its initial weights, on texts of `length` tokens taken from `tokens` (one document
/// each). The model is left unchanged. Returns two checks with their numbers:
/// - "whole text": no loss is infinite or NaN at any position, nor (if `twice`) in a text twice as long.
/// - "context": near the middle and near the end, there is a position (of three that are tried) at which the
///   tokens before it change the loss by at least 1/1000 of what its own token changes. This must hold with
///   the initial weights or after one of eight updates from them, since weights that are initialised to zero
///   may hide it.
///
/// Cost: 10 forward runs of one sequence, and up to 180 more with 8 updates if the initial weights fail the
/// second check.
std::vector<record::Anchor> first_text(const ir::Graph& graph, exec::Model& model,
                                       const std::vector<std::int64_t>& tokens, std::int64_t length,
                                       bool twice);

}  // namespace gabbro::trial
