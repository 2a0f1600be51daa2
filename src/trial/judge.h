// The model in float64 by which the losses of the trained one are judged.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "exec/model.h"
#include "ir/graph.h"
#include "record/trial.h"

namespace gabbro::trial {

/// The CPU engine in float64. It runs the graph as it is written: the rewrites that make training fast cannot
/// then be wrong in both, nor decide by rounding what the design decides. Written convolutions and formulas
/// of past positions take time for each pair of positions. Where a row would take more than `kMostOperations`
/// (exec/reference/predicted_cost.h; some 10 s), or more memory than is left, only its beginning runs as
/// written: the longest of a half, a quarter and so on. The whole row then runs with the rewrites, and the
/// note says so.
class Judge {
 public:
  static constexpr double kMostOperations = 3e10;

  /// For rows of up to `length` tokens, with the weights of a new model. `left`: bytes that it may take.
  Judge(const ir::Graph& graph, std::span<const ir::NodeId> outputs, const record::TrialSpec& spec,
        std::int64_t length, std::int64_t left);

  /// Sets the weights, which must be those of the graph's parameters.
  void restore(const std::vector<exec::NamedArray>& weights);
  /// Returns the losses of a batch of one row, in nats.
  std::vector<double> losses(const exec::TokenBatch& row);
  /// Returns why, and from where, rows do not run as written; "" if they do.
  [[nodiscard]] const std::string& note() const { return note_; }

 private:
  std::unique_ptr<exec::Model> written_, rewritten_;  // each may be missing, but not both
  std::int64_t written_length_ = 0;
  std::string note_;
};

}  // namespace gabbro::trial
