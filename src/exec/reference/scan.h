// Runs a scan: its body once per position, with the states carried along.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/reference/body.h"

namespace gabbro::exec {

class ScanRun {
 public:
  ScanRun(const ir::Graph& graph, const ir::Scan& scan);

  /// Steps through the positions of the clock. States start from `inits` at position 0 and are carried from
  /// run to run when stepping. Operands are those of the scan node: without time, except `sequences`.
  void run(std::span<const Tensor* const> inits, std::span<const Tensor* const> sequences,
           std::span<const Tensor* const> invariants, std::span<const Tensor> params, const Clock& clock);

  /// Step output i over the positions of the last run.
  [[nodiscard]] const Tensor& output(int i) const { return outputs_[i]; }
  [[nodiscard]] const Tensor& state(int i) const { return states_[i]; }

 private:
  void plan_steps();
  void step(std::int64_t i, std::span<const Tensor* const> sequences, const Sources& sources,
            const Clock& within);

  const ir::Graph& graph_;
  const ir::Scan& scan_;
  BodyRun body_;
  std::vector<ir::NodeId> fixed_, varying_;  // body nodes that are the same at every step, and the others
  std::vector<Tensor> states_, next_, items_, outputs_;
};

}  // namespace gabbro::exec
