// The model in float64 by which the trained one is judged.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "exec/model.h"
#include "ir/graph.h"
#include "record/trial.h"

namespace gabbro::trial {

/// Returns the bytes that a check may still take: of the run's limit, or of the machine. `elsewhere`: those
/// held outside of this process.
std::int64_t bytes_left(const record::TrialSpec& spec, std::int64_t elsewhere);

struct Judge {
  std::unique_ptr<exec::Model> model;
  std::string note;  // why it does not run the graph as it is written; "" if it does
};

enum class Judged : std::uint8_t { kLosses, kGradient, kRecomputedGradient };

/// Returns the CPU engine in float64 for rows of `length` tokens, with the weights of a new model. For
/// losses, it runs the graph as it is written: the rewrites that make training fast cannot then be wrong in
/// both, nor decide by rounding what the design decides. They take less memory too (a convolution has no term
/// for each pair of positions), so where `left` bytes do not suffice, or rows have more than 512 tokens, the
/// judge has them as well, and its note says so. For gradients it always has them: a gradient as written may
/// take a hundred times the time of a step, and rewrites are differentiated by the same rules.
/// kRecomputedGradient computes activations anew instead of keeping them.
Judge make_judge(const ir::Graph& graph, const record::TrialSpec& spec, std::int64_t length, Judged what,
                 std::int64_t left);

}  // namespace gabbro::trial
