// Runs the nodes of one body: shared by the model and the steps of scans.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <span>
#include <vector>

#include "exec/torch/executor.h"
#include "exec/torch/kernels.h"
#include "exec/torch/pair_program.h"
#include "exec/torch/plan.h"
#include "exec/torch/region_program.h"
#include "exec/torch/replay.h"
#include "exec/torch/step_program.h"

namespace gabbro::exec::torch {

/// What leaves read during one run.
struct Sources {
  std::span<const at::Tensor> params;
  const Batch* batch = nullptr;
  std::span<const at::Tensor> args;  // of a step: states, items of sequences, invariants
  Sequence* sequence = nullptr;      // of the model
};

/// The live nodes of a body with their forms, and the values of a run.
class Body {
 public:
  Body(const ir::Graph& graph, int body, std::span<const ir::NodeId> wanted, Settings settings);

  /// Of a step: the live nodes in order, those that depend on states or items of sequences apart.
  [[nodiscard]] const std::vector<ir::NodeId>& fixed() const { return fixed_; }
  [[nodiscard]] const std::vector<ir::NodeId>& varying() const { return varying_; }
  /// Computes nodes of a step.
  void run(std::span<const ir::NodeId> nodes, const Sources& sources);

  /// Computes the wanted nodes of the model. Values are dropped after their last reader.
  void run_plan(const Sources& sources);

  [[nodiscard]] const at::Tensor& value(ir::NodeId id) const { return values_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] const Form& form(ir::NodeId id) const { return forms_[static_cast<std::size_t>(id)]; }
  void clear() {
    values_.assign(values_.size(), at::Tensor());
    rounded_ = {};
  }

 private:
  at::Tensor compute(ir::NodeId id, const Sources& sources);
  at::Tensor compute(ir::NodeId id, const Sources& sources, Call call);
  [[nodiscard]] Call call_of(ir::NodeId id, const Sources& sources);
  at::Tensor rounded(ir::NodeId id);
  void drop(ir::NodeId id);
  [[nodiscard]] std::int64_t window_of(
      ir::NodeId id) const;  // of the values over past positions that it meets
  template <class F>
  void for_each_read(const Unit& unit, F&& f) const;
  void run_scan(ir::NodeId id, const Sources& sources);
  void run_program(ir::NodeId id, const Sources& sources);
  void run_affine(ir::NodeId id, const Sources& sources);
  [[nodiscard]] at::Tensor scan_out(const ir::Node& node) const;

  void find_half(const std::vector<bool>& live);

  // region.cc
  void prepare_regions();
  void keep_maxima();
  void run_region(int index, const Sources& sources);
  bool run_assembled(int index, const Sequence& sequence);
  struct Work;
  void run_block(Work& work, std::int64_t row, std::int64_t begin, std::int64_t end) const;
  void leave(Work& work, std::size_t exit, const at::Tensor& value, const Sequence& block,
             std::int64_t row) const;

  const ir::Graph& graph_;
  const std::vector<ir::Node>& nodes_;
  Settings settings_;
  at::TensorOptions options_;
  std::vector<ir::NodeId> fixed_, varying_;
  std::vector<Form> forms_;
  std::vector<at::Tensor> values_;
  std::vector<int> readers_;  // how often each node is read by units of the plan; the wanted ones once more
  std::vector<bool> half_;    // contractions in bfloat16; empty: none
  struct Rounded {
    ir::NodeId id = -1;
    at::Tensor value;
  };
  std::array<Rounded, 4> rounded_;  // operands of the latest of them: several read the same values in a row
  Plan plan_;
  // How the nodes of a region find each other: slots of its own nodes, then those of what it reads.
  struct Slots {
    std::vector<std::array<int, 3>> operands;  // per node; -1: none
    std::vector<std::array<bool, 3>> last;     // whether it is the last reader of the operand
    std::vector<bool> skipped;                 // a product that only an unpast reads: computed there
    std::vector<int> exits;                    // slots
    std::int64_t block = 0;   // elements of the widest value at one position (and past position)
    std::int64_t window = 0;  // the largest of its values over pairs
  };
  std::vector<Slots> slots_;                             // by region
  std::vector<std::optional<RegionProgram>> assembled_;  // by region: as instructions, where it can be
  std::vector<std::optional<PairProgram>> over_pairs_;   // the same, with pairs
  std::vector<StepProgram::Values> scans_;               // by node
  std::vector<std::vector<Body>> steps_;                 // by node: empty, or the body of its scan
  std::vector<std::optional<StepProgram>> programs_;     // by node: the step as instructions, where it can be
  Replays replays_;
  std::map<ir::NodeId, StepProgram::Marks> marks_;  // by node: of scans whose states are replayed
  std::map<ir::NodeId, ir::NodeId>
      marked_;  // affine recurrences: adjoints, and the runs whose states they are given
  std::map<ir::NodeId, at::Tensor> affine_marks_;  // by run
};

}  // namespace gabbro::exec::torch
