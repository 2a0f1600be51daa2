// Recurrences that are not affine, on the CPU: the body of a scan as instructions that run without a call of
// ATen.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <vector>

#include "exec/torch/assembler.h"
#include "exec/torch/sequence.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// The step of one scan, in a scratch memory of one thread. Nodes that depend on neither states nor sequences
/// are computed elsewhere, once.
class StepProgram {
 public:
  /// Positions from one mark to the next.
  static constexpr std::int64_t kMarked = 16;

  /// Of a scan in body `body`, without those of its per-step values for which `without` says so. None when
  /// the step holds an op without an instruction: tables, top-k, a recurrence within.
  static std::optional<StepProgram> make(const ir::Graph& graph, int body, const ir::Scan& scan,
                                         const std::vector<bool>& without = {});

  /// Nodes of the step to be computed before, in the order of Inputs::fixed.
  [[nodiscard]] const std::vector<ir::NodeId>& reads() const { return reads_; }

  struct Values {
    std::vector<at::Tensor>
        outputs;  // [B, T, axes...], per-step values; undefined where the program is without them
    std::vector<at::Tensor> finals;  // [axes...], summed over all documents
  };
  struct Inputs {
    std::vector<at::Tensor> inits;      // [axes...]
    std::vector<at::Tensor> sequences;  // [B or 1, T, axes...]; undefined where they are replayed
    std::vector<at::Tensor> fixed;      // [axes...], the values of reads()
  };
  /// From what the states of a scan are computed again.
  struct Marks {
    std::shared_ptr<const StepProgram> program;  // of the same scan, without per-step values
    Inputs in;
    at::Tensor states;  // [B, T / kMarked, numbers]: before each of these positions
  };
  /// Sequences of an adjoint that are states before steps: of which state, or -1.
  struct Replay {
    const Marks* marks = nullptr;
    std::vector<std::int32_t> states;
  };
  /// All of one type, float or double. In parallel over sequences, so that results do not depend on the
  /// number of threads. `marks`: what is to be filled with states. O(B T instructions).
  [[nodiscard]] Values run(const ir::Graph& graph, const ir::Scan& scan, Inputs in, const Sequence& sequence,
                           Marks* marks = nullptr, const Replay* replay = nullptr) const;
  /// Numbers of a mark of one sequence.
  [[nodiscard]] std::int64_t mark_numbers() const;

 private:
  friend class StepCompiler;
  template <class T>
  class Machine;
  template <class T>
  class Replayed;
  template <class T>
  void run_rows(const Inputs& in, const Sequence& sequence, bool reverse, Values& out,
                const at::Tensor& marks, const Replay& replay) const;

  // Memories, in order: scratch, states, new states, items of sequences, fixed values, per-step values.
  Instructions code_;
  std::vector<ir::NodeId> reads_;
  std::vector<std::int64_t> state_sizes_;
  std::vector<bool> sums_;  // by state: what is added to it stays where it is
  std::vector<bool> without_;
};

}  // namespace gabbro::exec::torch
