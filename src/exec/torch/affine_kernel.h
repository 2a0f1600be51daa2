// The affine recurrence of heads of one sequence, on arrays: S' = decay S + sum_r p_r (c_r . S) + sum_m k_m
// v_m.
//
// Columns of S (along its values) do not meet, so some of them at a time go through a segment of positions
// while they lie in the first-level cache, and all columns of all heads go through it while its operands lie
// in the second. The adjoint needs the states at the starts of segments, from the forward run or computed
// first; segment by segment from the end it computes those between.
#pragma once

#include <cstdint>

namespace gabbro::exec::torch {

/// Numbers at position t: at + t * step.
template <class T>
struct Strip {
  T* at = nullptr;
  std::int64_t step = 0;
  [[nodiscard]] T* row(std::int64_t t) const { return at + t * step; }
};

/// Operands in the order of ir::Affine, each of k or v numbers at a position (a shared decay: of one; a
/// slope: of k v, the same at all).
template <class T>
struct AffineTask {
  std::int64_t length = 0, k = 0, v = 0;
  bool decays = false, channel = false, outer = false, value_decay = false;  // one of the first and the third
  std::int64_t ranks = 0, added = 0, reads = 0;
  const bool* after = nullptr;   // per read
  const bool* begins = nullptr;  // per position: whether a document starts; null: only the first
  const Strip<const T>* in = nullptr;
  const Strip<T>* out = nullptr;  // what is read; of the adjoint: adjoints of the operands
  T* scratch = nullptr;           // affine_scratch numbers; of the first head
  T* carry = nullptr;             // affine_carry numbers
  T* marks =
      nullptr;  // affine_marks numbers: states at the starts of segments; null: the forward run leaves none
};

/// Positions of a segment.
constexpr std::int64_t kSegment = 16;
/// Columns that are computed together, at most, and a multiple of rows that scratch is filled up to.
constexpr std::int64_t kColumns = 32, kRows = 16;

constexpr std::int64_t affine_scratch(std::int64_t k, std::int64_t terms, bool outer) {
  const std::int64_t rows = (k + kRows - 1) / kRows * kRows;
  const std::int64_t states = kSegment + 3 + (outer ? kSegment + 2 : 0);
  return states * rows * kColumns + 2 * rows + (terms + 4) * kColumns;
}

constexpr std::int64_t affine_marks(std::int64_t length, std::int64_t k, std::int64_t v) {
  return (length + kSegment - 1) / kSegment * k * ((v + kColumns - 1) / kColumns * kColumns);
}
constexpr std::int64_t affine_carry(std::int64_t k, std::int64_t v, bool outer) {
  return (outer ? 2 : 1) * affine_marks(1, k, v);
}

/// h = factor h + added for `width` numbers, each on its own; h starts from nothing where a document starts
/// (backwards: ends).
template <class T>
struct RecurTask {
  std::int64_t length = 0, width = 0;
  bool backwards = false;
  const bool* begins = nullptr;
  Strip<const T> factor, added;
  Strip<T> out;
};

/// Heads of one sequence, alike but for their arrays; `marked`: whether marks are there. Compiled for several
/// processors; O(length k v) each.
#define GABBRO_AFFINE_KERNELS                                                                \
  void run_affine(const AffineTask<float>* heads, std::int64_t count);                       \
  void run_affine(const AffineTask<double>* heads, std::int64_t count);                      \
  void run_affine_adjoint(const AffineTask<float>* heads, std::int64_t count, bool marked);  \
  void run_affine_adjoint(const AffineTask<double>* heads, std::int64_t count, bool marked); \
  void run_recur(const RecurTask<float>& task);                                              \
  void run_recur(const RecurTask<double>& task);
namespace affine_plain {
GABBRO_AFFINE_KERNELS
}
namespace affine_avx2 {
GABBRO_AFFINE_KERNELS
}
namespace affine_avx512 {
GABBRO_AFFINE_KERNELS
}

}  // namespace gabbro::exec::torch
