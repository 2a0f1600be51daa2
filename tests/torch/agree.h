// Compares the torch backend with the reference on the same graph and the same values.
#pragma once

#include <ATen/ATen.h>

#include <string>

#include "exec/reference/reference.h"
#include "exec/torch/executor.h"
#include "lang/elaborate.h"

namespace gabbro::testing {

/// Elaborates the unit `instance` at `width`, with the units of `program` in addition to the zoo's. Errors
/// fail the test.
lang::Elaboration elaborated(const lang::Program& program, const lang::Expr& instance, std::int64_t width);

/// The inputs of a random run of a graph: one feed per sequence, all with the same parameters.
struct Sequences {
  std::vector<exec::Feed> feeds;
  std::int64_t length = 0;
};
Sequences random_sequences(const lang::Elaboration& e, int count, int length, std::uint64_t seed);

/// Extends the graph by the gradients of a random linear functional of its outputs with respect to all
/// parameters and inputs. Returns the nodes of outputs and gradients. The weights of the functional are
/// further inputs in `feeds`.
std::vector<ir::NodeId> with_gradients(lang::Elaboration& e, Sequences& sequences);

/// Returns the corresponding nodes for `outputs` of `graph`, which must be equivalent to the graph passed to
/// with_gradients. The inputs from number `inputs` on are the weights of the functional.
std::vector<ir::NodeId> gradient_nodes(ir::Graph& graph, const std::vector<ir::NodeId>& outputs, int inputs);

/// Returns "" if `lowered` on the torch backend gives the same values as `graph` on the reference: as a batch
/// and as documents of one sequence, in float64 and in float32, each with its own tolerance (0: not
/// compared).
std::string lowering_disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted,
                                  const ir::Graph& lowered, const std::vector<ir::NodeId>& lowered_wanted,
                                  const Sequences& sequences, double in_double, double in_single);

/// Compares the torch backend with the reference on `wanted`, sequence by sequence. Values without a time
/// axis are summed over sequences. `tolerance` is relative to the largest element. Returns "" if they agree,
/// else the first difference.
std::string disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted,
                         const Sequences& sequences, at::ScalarType dtype, double tolerance);

/// Tolerances relative to the largest element, in float64 and in float32.
constexpr double kDouble = 1e-8, kFloat = 1e-4;

/// Expects that the torch backend agrees with the reference on the values and the gradient of `e`, as it is
/// and, if that differs, with its softmaxes fused: for three random sequences of `length` as a batch and as
/// documents of one sequence, in float64 and in float32. Returns true if a softmax was fused.
bool expect_agreement(lang::Elaboration e, int length);

}  // namespace gabbro::testing
