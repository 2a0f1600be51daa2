// Regions of a plan with pairs of positions, on the CPU: as passes over the pairs of one head that run
// without a call of ATen.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <optional>
#include <vector>

#include "exec/torch/pair_kernel.h"
#include "exec/torch/plan.h"
#include "exec/torch/sequence.h"
#include "exec/torch/step_kernel.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// What a region computes over pairs, head by head: a head is one choice of the axes that its pairs have
/// beside t and s. Of a sequence and a head some positions t at a time meet all s that they see, in arrays
/// [t, s] that stay in the cache: products of matrices for contractions over other axes or over s or t,
/// instructions (step_kernel.h) for what is pointwise, passes of their own for softmax, sums and maxima over
/// s. Any formula over past positions and its gradient, in O(B T s numbers).
class PairProgram {
 public:
  /// None when the region has no pairs, or something that does not fit: a contraction of heads that is read
  /// in the region, pairs that are made elsewhere (a table by distance), or products that heads would repeat.
  /// `nodes` and `region` outlive it.
  static std::optional<PairProgram> make(const ir::Graph& graph, const std::vector<ir::Node>& nodes,
                                         const Region& region);

  /// The values of the region's exits ([B, T, axes...]; without time, summed over sequences) from those of
  /// its reads, all of one type, float or double, which `options` say too. `positions` t at a time; 0: as fit
  /// the cache. In parallel over sequences, and over the first axis of heads where all exits have it, so that
  /// results do not depend on the number of threads.
  std::vector<at::Tensor> run(std::vector<at::Tensor> reads, const Sequence& sequence, std::int64_t positions,
                              const at::TensorOptions& options) const;

 private:
  // Arrays of one head, each at one of these shapes: a number, [t], [s], [t, s], [t, other axes], [s, other
  // axes], [other axes, s].
  enum class Shape : std::uint8_t { kNumber, kRow, kPast, kPairs, kRows, kPasts, kTurned };
  struct Array {
    Shape shape = Shape::kNumber;
    std::int64_t width = 1;  // of other axes together
    bool whole = false;      // holds all positions, not those of a block
    std::size_t made = 0, read = 0;
  };
  struct Pass {
    enum class What : std::uint8_t {
      kPointwise,
      kLag,
      kSoftmax,
      kSoftmaxGrad,
      kSum,  // over s: of in[0], or of in[0] in[1]
      kMaximum,
      kRowProduct,  // of two [t, other], over the other axes
      kTotal,       // out + the sum over t of in[0]
      kScores,      // [t, s] from [t, other], [other, s]
      kCombine,     // [t, other] from [t, s], [s, other]
      kSpread,      // [s] or [s, other] + the sum over t of [t, s] and [t], [t, other] or nothing
    };
    What what = What::kPointwise;
    int out = -1;
    std::array<int, 3> in{-1, -1, -1};
    Instruction::Code code{};
    double value = 0;
  };
  struct Read {
    std::size_t index = 0;  // of the region's reads
    int array = -1;
  };
  struct Leave {
    std::size_t index = 0;  // of the region's exits
    int array = -1;
    bool adds = false;
    std::uint32_t first = 0;  // axes of heads in which only the first counts
  };
  class Maker;
  template <class T>
  class Run;

  PairProgram() = default;

  const ir::Graph* graph_ = nullptr;
  const std::vector<ir::Node>* nodes_ = nullptr;
  const Region* region_ = nullptr;
  ir::AxisList heads_;
  std::int32_t window_ = 0;
  std::vector<Array> arrays_;
  std::vector<Pass> passes_;
  std::vector<Read> reads_;
  std::vector<Leave> exits_;
};

}  // namespace gabbro::exec::torch
