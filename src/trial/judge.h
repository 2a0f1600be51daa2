// The model in float64 by which the losses of the trained one are judged.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "exec/model.h"
#include "ir/graph.h"
#include "record/trial.h"

namespace gabbro::trial {

struct Judge {
  std::unique_ptr<exec::Model> model;
  std::string note;  // why it does not run the graph as it is written; "" if it does
};

/// Returns the CPU engine in float64 for rows of `length` tokens, with the weights of a new model. It runs
/// the graph as it is written: the rewrites that make training fast cannot then be wrong in both, nor decide
/// by rounding what the design decides. They also take less memory and time, since a convolution has no term
/// for each pair of positions. So where `left` bytes do not suffice, or rows have more than 512 tokens, the
/// judge has them as well, and its note says so.
Judge make_judge(const ir::Graph& graph, const record::TrialSpec& spec, std::int64_t length,
                 std::int64_t left);

}  // namespace gabbro::trial
