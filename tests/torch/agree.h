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

/// Extends `graph` by the gradients of sum <output, weight> over `outputs`, with respect to all parameters
/// and inputs. The weights become further inputs, numbered from `inputs` (the number of inputs so far) on.
/// Returns the nodes of outputs and gradients, in the order of with_gradients.
std::vector<ir::NodeId> gradient_nodes(ir::Graph& graph, const std::vector<ir::NodeId>& outputs, int inputs);

/// Returns "" if `lowered` on the torch backend gives the same values as `graph` on the reference: as a batch
/// and as documents of one sequence, in float64 and in float32, each with its own tolerance (as in
/// `disagreement`; 0: not compared). Otherwise describes the first difference.
std::string lowering_disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted,
                                  const ir::Graph& lowered, const std::vector<ir::NodeId>& lowered_wanted,
                                  const Sequences& sequences, double double_tolerance,
                                  double float_tolerance);

/// Compares the torch backend with the reference on `wanted`, sequence by sequence. Values without a time
/// axis are summed over sequences. `tolerance` is relative to the largest finite element of the value, but at
/// least to 1. Returns "" if they agree, else the first difference.
std::string disagreement(const ir::Graph& graph, const std::vector<ir::NodeId>& wanted,
                         const Sequences& sequences, at::ScalarType dtype, double tolerance);

/// Tolerances in float64 and in float32.
constexpr double kDoubleTolerance = 1e-8, kFloatTolerance = 1e-4;

/// Expects that the torch backend agrees with the reference on the values and the gradient of `e`, as it is
/// and, if that differs, as ir::fuse rewrites it: for three random sequences of `length` as a batch and as
/// documents of one sequence, in float64 and in float32. Returns true if ir::fuse changed the graph.
bool expect_agreement(lang::Elaboration e, int length);

}  // namespace gabbro::testing
