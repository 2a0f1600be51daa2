// Passes over rows of numbers: pairs of positions (t, s) of one head, which pair_program.h makes of a region; logits.
#pragma once

#include <cstdint>

namespace gabbro::exec::torch {

/// Rows of numbers begin and end at multiples of so many.
constexpr std::int64_t kPairAlign = 16;
constexpr std::int64_t aligned(std::int64_t numbers) {
  return (numbers + kPairAlign - 1) / kPairAlign * kPairAlign;
}

/// c = a b, or c + a b: [rows, columns], summed over `inner` in order. a lies at any strides; rows of b and c, side by side, are filled up to
/// aligned(columns) numbers, which are computed too.
template <class T>
struct PairProduct {
  T* c = nullptr;
  std::int64_t c_row = 0;
  const T* a = nullptr;
  std::int64_t a_row = 0, a_inner = 0;
  const T* b = nullptr;
  std::int64_t b_inner = 0;
  std::int64_t rows = 0, columns = 0, inner = 0;
  bool adds = false;
};

/// Some positions t with all s that they may see: row t is inside at [from[t], to[t]), and lies at t * row; s runs over [begin, end), multiples of
/// kPairAlign.
struct PairRows {
  std::int64_t count = 0, row = 0, begin = 0, end = 0;
  const std::int32_t *from = nullptr, *to = nullptr;
};

/// fill_outside: x = value outside. softmax: y = softmax of x over what is inside, 0 outside (x is overwritten there). softmax_grad: y = w (g - sum w g).
/// row_sums: y[t] = sum over s of a, or of a b (b_row 0: the same for every t). row_largest: y[t] = max over s of x. Sums, of w and g too, are over
/// [begin, end): what is outside must be 0. O(count (end - begin)).
/// cross_entropy: of each row of `width` logits the loss of its target, and, in their place, its gradient times scale: (softmax - one-hot) scale.
/// Compiled for several processors.
#define GABBRO_PAIR_KERNELS(T)                                                             \
  void multiply(const PairProduct<T>& task);                                               \
  void fill_outside(const PairRows& rows, T* x, T value);                                  \
  void softmax(const PairRows& rows, T* y, T* x);                                          \
  void softmax_grad(const PairRows& rows, T* y, const T* w, const T* g);                   \
  void row_sums(const PairRows& rows, T* y, const T* a, const T* b, std::int64_t b_row);   \
  void row_largest(const PairRows& rows, T* y, const T* x);                                \
  void cross_entropy(T* losses, T* logits, const std::int64_t* targets, std::int64_t rows, \
                     std::int64_t width, T scale);
namespace pair_plain {
GABBRO_PAIR_KERNELS(float)
GABBRO_PAIR_KERNELS(double)
}  // namespace pair_plain
namespace pair_avx2 {
GABBRO_PAIR_KERNELS(float)
GABBRO_PAIR_KERNELS(double)
}  // namespace pair_avx2
namespace pair_avx512 {
GABBRO_PAIR_KERNELS(float)
GABBRO_PAIR_KERNELS(double)
}  // namespace pair_avx512

}  // namespace gabbro::exec::torch
