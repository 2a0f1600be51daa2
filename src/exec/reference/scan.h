// Runs a scan: evaluates its body once per position and carries the states along.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/reference/body.h"

namespace gabbro::exec {

class ScanRun {
 public:
  ScanRun(const ir::Graph& graph, const ir::Scan& scan);

  /// Runs the step at each position of the clock. States are initialised from `inits` at position 0, and are
  /// carried from run to run when stepping. The operands are those of the scan node; only `sequences` have a
  /// time axis.
  void run(std::span<const Tensor* const> inits, std::span<const Tensor* const> sequences,
           std::span<const Tensor* const> invariants, std::span<const Tensor> params, const Clock& clock);

  /// Returns output i of the step, over the positions of the last run.
  [[nodiscard]] const Tensor& output(int i) const { return outputs_[i]; }
  [[nodiscard]] const Tensor& state(int i) const { return states_[i]; }

 private:
  void plan_steps();  // fills fixed_ and varying_
  void step(std::int64_t i, std::span<const Tensor* const> sequences, const Sources& sources,
            const Clock& step_clock);

  const ir::Graph& graph_;
  const ir::Scan& scan_;
  BodyRun body_;
  // `fixed_` holds the body nodes that have the same value at every step, `varying_` the others.
  std::vector<ir::NodeId> fixed_, varying_;
  std::vector<Tensor> states_, next_;  // `next_` holds the new states until all of them are computed
  std::vector<Tensor> items_;          // the sequences at the current position
  std::vector<Tensor> outputs_;
};

}  // namespace gabbro::exec
