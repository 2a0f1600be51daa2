// Instructions of one step of a recurrence, on arrays: what step_program.h makes of a scan's body.
#pragma once

#include <array>
#include <cstdint>

#include "ir/graph.h"

namespace gabbro::exec::torch {

/// One pass over numbers: loops whose innermost one is the last. Reductions add to what is there; their
/// result has a stride of 0 along the loops that are summed over.
struct Instruction {
  enum class Code : std::uint8_t {
    // result = value, f(a), f(a, b), f(a, b, c); kMultiplyAdd: a b + c
    kFill,
    kCopy,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kPower,
    kMax,
    kLess,
    kWhere,
    kRecip,
    kSqrt,
    kSquare,
    kPow,
    kExp,
    kLog,
    kSin,
    kCos,
    kTanh,
    kSigmoid,
    kSoftplus,
    kErf,
    kFloor,
    kMultiplyAdd,
    // reductions
    kSum,
    kMaxOver,
    kDot,
  };
  /// Where numbers lie: in memory number `base`, from `offset` on.
  struct Place {
    std::int32_t base = 0;
    std::int64_t offset = 0;
    std::array<std::int64_t, ir::kMaxRank> stride{};
  };

  Code code = Code::kCopy;
  std::int32_t loops = 0;
  std::array<std::int64_t, ir::kMaxRank> size{};
  Place out;
  std::array<Place, 3> in;
  double value = 0;  // kFill, kPow
};

/// Runs `count` instructions on memories `bases`. Compiled for several processors.
#define GABBRO_STEP_KERNELS                                                        \
  void run_step(const Instruction* code, std::int64_t count, float* const* bases); \
  void run_step(const Instruction* code, std::int64_t count, double* const* bases);
namespace step_plain {
GABBRO_STEP_KERNELS
}
namespace step_avx2 {
GABBRO_STEP_KERNELS
}
namespace step_avx512 {
GABBRO_STEP_KERNELS
}

}  // namespace gabbro::exec::torch
