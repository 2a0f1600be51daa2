// The torch backend as a model that trains.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "exec/model.h"
#include "ir/chunk.h"

namespace gabbro::exec::torch {

enum class Precision : std::uint8_t {
  kFloat32,
  kBFloat16,  // products with weights; weights, sums, norms and the loss stay in float32
  kFloat64,   // for comparisons: weights are kept in float32 between runs
};

/// "float32", "bf16", "float64".
std::optional<Precision> precision_of(std::string_view name);

/// Whether models can run on `device`. Errors: "device": not "cpu", "cuda" or "cuda:N"; no such GPU here.
Result<bool> check_device(const std::string& device);

/// Lets the process keep freed memory: large tensors come and go with every step, and handing their pages
/// back each time costs about a tenth of it; and lets what was freed serve for what is as large. To be called
/// first in main. Nothing happens without glibc.
void keep_memory();

struct ModelOptions {
  std::string device = "cpu";  // or "cuda", "cuda:1"
  int threads = 1;
  Precision precision = Precision::kFloat32;
  // Recurrences in parallel over chunks of positions where their form allows it; nullopt: step by step.
  std::optional<ir::ChunkOptions> chunks = ir::ChunkOptions{};
  bool programs = true;  // steps of all other recurrences without calls of ATen (step_program.h), on the CPU
  bool convolutions =
      true;  // sums over the past with weights by distance as convolutions, on the CPU; else pair by pair
  std::int64_t rows = 0;  // sequences at a time; the gradient is summed over parts of a batch. 0: all
  bool recompute =
      false;  // compute activations again for the gradient instead of keeping them (ir/recompute.h)
};

/// A model of `graph` (one output: logits [t, V]), whose weights start as Param::init says, drawn from
/// `seed`. The graph is copied, its gradient built into the copy.
std::unique_ptr<Model> make_model(const ir::Graph& graph, std::uint64_t seed, const ModelOptions& options);

/// Returns the weights with which a model of `graph` and `seed` starts, for backends that run elsewhere.
std::vector<NamedArray> initial_weights(const ir::Graph& graph, std::uint64_t seed);

}  // namespace gabbro::exec::torch
