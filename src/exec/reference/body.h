// Evaluation of the nodes of one graph body, shared by whole-sequence evaluation, decoding and the steps of
// scans.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "exec/reference/kernels.h"
#include "exec/reference/tensor.h"
#include "ir/graph.h"

namespace gabbro::exec {

/// The positions that one run covers: the whole sequence or, if `stepping`, the single position that follows
/// those already run.
struct Clock {
  std::int64_t t_begin = 0;
  std::int64_t t_count = 0;
  bool stepping = false;
  bool float32 = false;  // Rounds every result to float32: values beyond its range become infinite or zero.

  [[nodiscard]] Frame frame(std::int32_t window) const;
};

/// The inputs of a run. `tokens` and `inputs` cover the positions of the clock. `args` are the arguments of a
/// scan body.
struct Sources {
  std::span<const Tensor> params;
  std::span<const std::int64_t> tokens;
  std::span<const Tensor> inputs;
  std::span<const Tensor* const> args;
};

class ScanRun;

/// Holds the values of the live nodes of one body. Storage is reused from run to run. When stepping, the
/// state of shift, past and scan nodes is kept between runs.
class BodyRun {
 public:
  BodyRun(const ir::Graph& graph, int body, std::span<const ir::NodeId> wanted);
  BodyRun(BodyRun&&) noexcept;
  ~BodyRun();

  /// The live nodes in order of execution.
  [[nodiscard]] const std::vector<ir::NodeId>& schedule() const { return schedule_; }
  /// Computes `nodes`, a subset of `schedule()`. Their operands outside of `nodes` must be up to date.
  void run(std::span<const ir::NodeId> nodes, const Sources& sources, const Clock& clock);
  /// Computes all of `schedule()`. Frees each value after its last use, unless it is in `wanted`, so that
  /// only values that are still needed stay in memory.
  void run_once(std::span<const ir::NodeId> wanted, const Sources& sources, const Clock& clock);
  /// The reference stays valid until the next run, or as long as the source tensor that it refers to.
  [[nodiscard]] const Tensor& value(ir::NodeId id) const { return *values_[id]; }

 private:
  /// The latest values of a node, one row per position.
  struct History {
    std::vector<double> rows;
    std::int64_t count = 0;
    void push(const std::vector<double>& row, std::int64_t keep);
  };

  void run_node(ir::NodeId id, const Sources& sources, const Clock& clock);
  void read_tokens(const Sources& sources, const Clock& clock, Tensor& out) const;
  const Tensor* read_input(const ir::Node& node, const Sources& sources, const Clock& clock) const;
  void compute(const ir::Node& node, const Clock& clock, Tensor& out) const;
  void step_shift(ir::NodeId id, const Clock& clock, Tensor& out);
  void step_past(ir::NodeId id, const Clock& clock, Tensor& out);
  void run_scan(ir::NodeId id, const Sources& sources, const Clock& clock);
  [[nodiscard]] const Tensor* scan_out(const ir::Node& node, const Clock& clock) const;

  const ir::Graph& graph_;
  const std::vector<ir::Node>& nodes_;
  std::vector<ir::NodeId> schedule_;
  std::vector<Tensor> storage_;                  // One per node. Empty where the node does not own its value.
  std::vector<const Tensor*> values_;            // one per node
  std::vector<History> histories_;               // one per node
  std::vector<std::unique_ptr<ScanRun>> scans_;  // one per node
};

}  // namespace gabbro::exec
