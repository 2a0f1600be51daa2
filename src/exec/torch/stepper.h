// Decoding: a graph one position at a time, with what it carries from position to position.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <span>
#include <vector>

#include "exec/torch/executor.h"

namespace gabbro::exec::torch {

/// The step form of a graph, which must outlive it and not change. It carries the states of scans, the values
/// that shifts will read, and for every `past` the values of the positions it sees (all, or the latest
/// `window` in a ring). A step costs what one position costs. All sequences are at the same position. What
/// does not vary over time is computed once. Values after t do not exist: a graph that asks for them (an
/// unpast, a final state, a sum over time) is refused by a check.
class Stepper {
 public:
  Stepper(const ir::Graph& graph, std::span<const ir::NodeId> wanted, std::span<const at::Tensor> params,
          Settings settings);
  ~Stepper();
  Stepper(Stepper&&) noexcept;

  /// One position: `tokens` [B] int64 (undefined when the graph reads none), inputs [B, axes...] by index.
  /// The wanted values [B or 1, axes...]; those without time [axes...].
  std::vector<at::Tensor> step(const at::Tensor& tokens, std::span<const at::Tensor> inputs = {});
  /// Steps so far.
  [[nodiscard]] std::int64_t position() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gabbro::exec::torch
