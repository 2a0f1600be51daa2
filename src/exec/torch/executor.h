// The torch backend: executes graphs with ATen calls, forward and backward alike, without torch's autograd.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace gabbro::exec::torch {

/// The input of a run. Sequences of one batch have one length T and may each hold several documents, one
/// after the other: nothing passes from one document to the next, and what has no time is summed over all
/// documents.
struct Batch {
  at::Tensor tokens;               // [B, T] int64; undefined when the graph reads none
  std::vector<at::Tensor> inputs;  // by index of kInput: [B, T, axes...], or [axes...] for one without time
  at::Tensor
      starts;  // [B, T] int64: the position at which the document of each position starts; undefined: 0
  std::function<at::Tensor(at::Tensor)> late;  // makes the late input, see Settings
};

struct Settings {
  at::ScalarType dtype = at::kFloat;
  // Products of values with weights, and the gradients of both, in bfloat16 with sums in float32. All else,
  // attention and recurrences among it, stays in `dtype`.
  bool half = false;
  // Input number `late_input` is made from the value of node `late_reads` by Batch::late, as soon as that is
  // known: the adjoint of a loss from the logits. The value is handed over, and may be overwritten.
  int late_input = -1;
  ir::NodeId late_reads = -1;
  bool programs = true;  // steps of recurrences that are not affine as instructions (step_program.h)
  std::int64_t block =
      0;  // positions computed at a time in regions (plan.h); 0: as many as fit a core's cache
};

/// Executes one graph, which must outlive it and not change. Values are freed as soon as nothing needs them;
/// scans run step by step. Values over pairs of positions exist for one block of positions at a time
/// (plan.h). Deterministic for a given number of threads. Errors of ATen (memory) pass as c10::Error.
class Executor {
 public:
  Executor(const ir::Graph& graph, std::span<const ir::NodeId> wanted, Settings settings);
  ~Executor();
  Executor(Executor&&) noexcept;

  /// Returns the peak memory of a run with batches of this shape (memory.h).
  [[nodiscard]] std::int64_t peak_bytes(std::int64_t sequences, std::int64_t length, int threads) const;

  /// The wanted nodes of body 0, in the order given: [B, T, axes...], past positions outside of the window 0,
  /// values without time [axes...]. `params` are of the settings' type, one per parameter of the
  /// graph, axes ascending.
  std::vector<at::Tensor> run(std::span<const at::Tensor> params, const Batch& batch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gabbro::exec::torch
