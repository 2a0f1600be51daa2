// Runs the nodes of one body: the machinery that whole-sequence evaluation, decoding and the steps of scans
// share.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "exec/reference/kernels.h"
#include "exec/reference/tensor.h"
#include "ir/graph.h"

namespace gabbro::exec {

/// The positions that one run covers: all of them, or a single one after those before it were run.
struct Clock {
  std::int64_t t_begin = 0;
  std::int64_t t_count = 0;
  bool stepping = false;
  bool single = false;  // every result is rounded to float32, infinities and zeros of its range included

  [[nodiscard]] Frame frame(std::int32_t window) const;
};

/// What leaves read. `tokens` and `inputs` cover the positions of the clock; `args` are those of a scan body.
struct Sources {
  std::span<const Tensor> params;
  std::span<const std::int64_t> tokens;
  std::span<const Tensor> inputs;
  std::span<const Tensor* const> args;
};

class ScanRun;

/// The values of the live nodes of one body. Storage is reused from run to run; when stepping, what shift,
/// past and scan have to remember stays here in between.
class BodyRun {
 public:
  BodyRun(const ir::Graph& graph, int body, std::span<const ir::NodeId> wanted);
  BodyRun(BodyRun&&) noexcept;
  ~BodyRun();

  /// The live nodes in order of execution.
  [[nodiscard]] const std::vector<ir::NodeId>& plan() const { return plan_; }
  /// Computes the nodes `plan` (a part of `plan()` whose other operands are up to date).
  void run(std::span<const ir::NodeId> plan, const Sources& sources, const Clock& clock);
  /// Computes all of `plan()` and gives back what no later node and none of `wanted` reads, so that only
  /// values in use are held.
  void run_once(std::span<const ir::NodeId> wanted, const Sources& sources, const Clock& clock);
  /// Valid until the next run, or as long as the source it reads.
  [[nodiscard]] const Tensor& value(ir::NodeId id) const { return *values_[id]; }

 private:
  /// The latest rows (values at one position) of a node.
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
  std::vector<ir::NodeId> plan_;
  std::vector<Tensor> storage_;                  // per node, where the node owns its value
  std::vector<const Tensor*> values_;            // per node
  std::vector<History> histories_;               // per node
  std::vector<std::unique_ptr<ScanRun>> scans_;  // per node
};

}  // namespace gabbro::exec
