// The torch backend beside the reference: the same graph on the same numbers.
#pragma once

#include <ATen/ATen.h>

#include <string>

#include "exec/reference/reference.h"
#include "exec/torch/executor.h"
#include "lang/elaborate.h"

namespace gabbro::testing {

/// The unit `instance` at `width`, with the units of `program` beside the zoo's; errors fail the test.
lang::Elaboration elaborated(const lang::Program& program, const lang::Expr& instance, std::int64_t width);

/// A random run of a graph: one feed per sequence, all with the same parameters.
struct Sequences {
  std::vector<exec::Feed> feeds;
  std::int64_t length = 0;
};
Sequences random_sequences(const lang::Elaboration& e, int count, int length, std::uint64_t seed);

/// The graph of outputs and of the gradients of a random linear functional of them with respect to all
/// parameters and inputs; the weights of the functional are further inputs of `feeds`.
std::vector<ir::NodeId> with_gradients(lang::Elaboration& e, Sequences& sequences);

/// The nodes of that graph for `outputs` of `graph`, an equivalent of the one with_gradients was called on:
/// seeds are its inputs from number `inputs` on.
std::vector<ir::NodeId> gradient_nodes(ir::Graph& graph, const std::vector<ir::NodeId>& outputs, int inputs);

/// "" when `lowered` on the torch backend gives what `graph` on the reference gives: as a batch and as
/// documents of one sequence, in float64 and in float32, each to its tolerance (0: not compared).
std::string lowering_disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted,
                                  const ir::Graph& lowered, const std::vector<ir::NodeId>& lowered_wanted,
                                  const Sequences& sequences, double in_double, double in_single);

/// "" when the torch backend gives what the reference gives for `wanted` (sequence by sequence; what has no
/// time is summed over sequences), to `tolerance` relative to the largest element; else the first difference.
std::string disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted,
                         const Sequences& sequences, at::ScalarType dtype, double tolerance);

/// The same with all sequences as documents of one packed sequence.
std::string packed_disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted,
                                const Sequences& sequences, at::ScalarType dtype, double tolerance);

}  // namespace gabbro::testing
