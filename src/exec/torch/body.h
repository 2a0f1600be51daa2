// Runs the nodes of one body: shared by the model and the steps of scans.
#pragma once

#include <ATen/ATen.h>

#include <span>
#include <vector>

#include "exec/torch/executor.h"
#include "exec/torch/kernels.h"

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

  /// The live nodes in order, those that depend on states or items of sequences apart (none in the model).
  [[nodiscard]] const std::vector<ir::NodeId>& fixed() const { return fixed_; }
  [[nodiscard]] const std::vector<ir::NodeId>& varying() const { return varying_; }

  /// Computes the nodes of `plan`. With `release`, values are dropped after their last reader.
  void run(std::span<const ir::NodeId> plan, const Sources& sources, bool release);
  [[nodiscard]] const at::Tensor& value(ir::NodeId id) const { return values_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Form& form(ir::NodeId id) const { return forms_[static_cast<std::size_t>(id)]; }
  void clear() { values_.assign(values_.size(), at::Tensor()); }

 private:
  at::Tensor compute(ir::NodeId id, const Sources& sources);
  [[nodiscard]] Call call_of(ir::NodeId id, const Sources& sources) const;
  void run_scan(ir::NodeId id, const Sources& sources);
  [[nodiscard]] at::Tensor scan_out(const ir::Node& node) const;

  const ir::Graph& graph_;
  const std::vector<ir::Node>& nodes_;
  Settings settings_;
  at::TensorOptions options_;
  std::vector<ir::NodeId> fixed_, varying_;
  std::vector<bool>
      fused_;  // contractions that only an unpast reads: computed there, without a value per pair
  std::vector<Form> forms_;
  std::vector<at::Tensor> values_;
  std::vector<int> readers_;  // how often each node is read; the wanted ones once more
  struct ScanResult {
    std::vector<at::Tensor> outputs, finals;
  };
  std::vector<ScanResult> scans_;         // by node
  std::vector<std::vector<Body>> steps_;  // by node: empty, or the body of its scan
};

}  // namespace gabbro::exec::torch
