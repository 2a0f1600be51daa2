// The torch backend as a model that trains.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "exec/model.h"
#include "ir/recurrences.h"

namespace gabbro::exec::torch {

enum class Precision : std::uint8_t {
  kFloat32,
  kBFloat16,  // products with weights; weights, sums, norms and the loss stay in float32
  kFloat64,   // for comparisons: weights are kept in float32 between runs
};

/// Parses "float32", "bf16" and "float64"; returns nullopt for other names.
std::optional<Precision> precision_of(std::string_view name);

/// Makes the allocator keep and reuse freed memory. Large tensors come and go with every step, and returning
/// their pages to the system each time costs about a tenth of the step. Must be called first in main. Has no
/// effect without glibc.
void keep_memory();

struct ModelOptions {
  int threads = 1;
  Precision precision = Precision::kFloat32;
  // Runs the graph without any rewrite, by which others are judged: no rewrite can then hide in both. Slow.
  bool as_written = false;
  // Lowers recurrences to ops with a kernel where their form allows it (ir/recurrences.h); nullopt: all run
  // step by step.
  std::optional<ir::RecurrenceOptions> recurrences = ir::RecurrenceOptions{};
  // Runs the steps of all other recurrences without calls of ATen (step_program.h).
  bool programs = true;
  // Computes sums over the past whose weights depend only on the distance as convolutions; otherwise
  // pair by pair.
  bool convolutions = true;
  // The size of a micro-batch, in sequences, over which the gradient is accumulated; 0: the whole batch.
  std::int64_t rows = 0;
  // Recomputes activations for the gradient instead of keeping them (ir/recompute.h).
  bool recompute = false;
};

/// Returns a model of `graph`, whose single output must be the logits [t, V]. Weights are initialised as
/// their Param::init says, drawn from `seed`. The graph is copied, and its gradient is built into the copy.
std::unique_ptr<Model> make_model(const ir::Graph& graph, std::uint64_t seed, const ModelOptions& options);

/// Returns the weights with which a model of `graph` and `seed` starts, for backends that run elsewhere.
std::vector<NamedArray> initial_weights(const ir::Graph& graph, std::uint64_t seed);

}  // namespace gabbro::exec::torch
