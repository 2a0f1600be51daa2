// What a design does with whole texts before it is trained.
#pragma once

#include <vector>

#include "exec/model.h"
#include "ir/graph.h"
#include "record/anchor.h"

namespace gabbro::trial {

/// Runs `model`, whose weights are the first, on texts of `length` tokens taken from `tokens` (one document
/// each), and leaves it as it was. Two checks with their numbers: "whole text" (no loss is infinite or not a
/// number at any position, nor, `twice`, of a text twice as long), and "context": at a middle and a late
/// position the tokens before it change the loss by at least 1/1000 of what its own token changes, with the
/// first weights or, where those start at zero and hide it, after one of eight updates from them. Cost: 15
/// forward runs of one sequence, 56 more and 8 updates where those are asked.
std::vector<record::Anchor> first_text(const ir::Graph& graph, exec::Model& model,
                                       const std::vector<std::int64_t>& tokens, std::int64_t length,
                                       bool twice);

}  // namespace gabbro::trial
