// Folders with an exported design and what the reference computes for it, which compare.py reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lang/ast.h"

namespace gabbro::testing {

/// For each row of a batch, the lengths of its documents.
using Rows = std::vector<std::vector<int>>;

/// Writes model.py, case.json and arrays.bin for the last design of `program` at the first of `widths` at
/// which it can be built: weights drawn from `seed`, and for the rows the tokens, the logits, and the
/// gradients of a random combination of the logits; with `module_only`, only model.py. Returns "", or what
/// went wrong: "skip: ..." if no width fits.
std::string write_case(const lang::Program& program, const std::string& folder, std::uint64_t seed,
                       const std::vector<int>& widths = {16, 32, 48, 64, 96, 128},
                       const Rows& rows = {{3, 5}, {1, 4, 3}}, bool module_only = false);

}  // namespace gabbro::testing
