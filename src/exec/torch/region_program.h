// Regions of a plan without pairs of positions, on the CPU: as instructions that run without a call of ATen.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <optional>
#include <vector>

#include "exec/torch/assembler.h"
#include "exec/torch/plan.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// What a region computes for some positions of a sequence at a time, so that what lies between its nodes
/// stays in the cache. For one thread of calls: instructions for a number of positions, and for reads that
/// lie as they do, are made when they are first needed.
class RegionProgram {
 public:
  /// None when the region has pairs of positions, or an op without an instruction. `nodes` and `region`
  /// outlive it.
  static std::optional<RegionProgram> make(const ir::Graph& graph, const std::vector<ir::Node>& nodes,
                                           const Region& region);

  /// The values of the region's exits ([B, T, axes...]; without time, summed over sequences) from those of
  /// its reads, all of one type, float or double. `positions` at a time; 0: as fit the cache. Empty when all
  /// sequences agree in an exit. In parallel over sequences, so that results do not depend on the number of
  /// threads. O(B T instructions).
  std::vector<at::Tensor> run(std::vector<at::Tensor> reads, std::int64_t batch, std::int64_t length,
                              std::int64_t positions);

 private:
  RegionProgram(const ir::Graph& graph, const std::vector<ir::Node>& nodes, const Region& region)
      : graph_(&graph), nodes_(&nodes), region_(&region) {}
  using Strides = std::vector<std::vector<std::int64_t>>;  // by read: of its axes
  [[nodiscard]] std::optional<Instructions> assembled(std::int64_t positions, const Strides& strides) const;
  const Instructions& instructions(std::int64_t positions, const Strides& strides);
  [[nodiscard]] bool all_differ(const std::vector<at::Tensor>& reads) const;
  template <class T>
  void run_rows(const std::vector<at::Tensor>& reads, const std::vector<at::Tensor>& exits,
                std::int64_t length, std::int64_t positions, const Strides& strides);
  [[nodiscard]] const ir::Type& type(ir::NodeId id) const {
    return (*nodes_)[static_cast<std::size_t>(id)].type;
  }

  const ir::Graph* graph_;
  const std::vector<ir::Node>* nodes_;
  const Region* region_;
  std::int64_t widest_ = 1;  // numbers of a value at one position
  std::map<std::pair<std::int64_t, Strides>, Instructions>
      made_;  // by number of positions, and how reads lie
};

}  // namespace gabbro::exec::torch
