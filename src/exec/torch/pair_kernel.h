// Passes over rows of values: pairs of positions (t, s) of one head, which pair_program.h makes of a region;
// sums with weights by distance; logits.
//
// What a position does not see takes no part in any sum: its products are not formed, or lanes that hold them
// are overwritten by 0 before they are added. A factor of 0 would not do, since 0 times infinity is NaN.
#pragma once

#include <cstdint>

namespace gabbro::exec::torch {

/// Rows of values begin and end at multiples of this.
constexpr std::int64_t kPairAlign = 16;
constexpr std::int64_t aligned(std::int64_t count) {
  return (count + kPairAlign - 1) / kPairAlign * kPairAlign;
}

/// c = a b, or c + a b: [rows, columns], summed over `inner` in order. a has any strides; rows of b and c are
/// contiguous and padded to aligned(columns) values, which are computed too. With bounds, which do not fall
/// from row to row, row i sums over the inner indices k with from[i] <= first + k < to[i] alone; the other
/// values of a and b are not used, so that they may be anything.
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
  const std::int32_t *from = nullptr, *to = nullptr;  // null: all
  std::int64_t first = 0;
};

/// Some positions t with all s that they may see: row t sees [from[t], to[t]), and begins at t * row; s runs
/// over [begin, end), multiples of kPairAlign.
struct PairRows {
  std::int64_t count = 0, row = 0, begin = 0, end = 0;
  const std::int32_t *from = nullptr, *to = nullptr;
};

/// Over the values that a row sees; what others hold is never used. softmax: y = softmax of x (x is
/// overwritten beside what is seen). softmax_grad: y = w (g - sum w g). row_sums: y[t] = sum over s of a, or
/// of a b (b_row 0: the same for every t). row_maxima: y[t] = max over s of x, NaN where one of them is.
/// column_sums: y[s] += sum over t of x, or of w[t] x. O(count (end - begin)). convolve: y[t] += sum over s
/// <= t of f[t - s] u[s]; correlate: y[s] += sum over t >= s of f[t - s] u[t]; lag_products: y[l] += sum over
/// t of u[t - l] g[t]: t and s below n, in the order of the distance. O(n^2). cross_entropy: of each row of
/// `width` logits the loss of its target, and, in their place, its gradient times scale: (softmax - one-hot)
/// scale. Both are 0 where the target is negative: nothing is asked there. Compiled for several processors.
#define GABBRO_PAIR_KERNELS(T)                                                             \
  void multiply(const PairProduct<T>& task);                                               \
  void softmax(const PairRows& rows, T* y, T* x);                                          \
  void softmax_grad(const PairRows& rows, T* y, const T* w, const T* g);                   \
  void row_sums(const PairRows& rows, T* y, const T* a, const T* b, std::int64_t b_row);   \
  void row_maxima(const PairRows& rows, T* y, const T* x);                                 \
  void column_sums(const PairRows& rows, T* y, const T* x, const T* w);                    \
  void convolve(T* y, const T* f, const T* u, std::int64_t n);                             \
  void correlate(T* y, const T* f, const T* u, std::int64_t n);                            \
  void lag_products(T* y, const T* u, const T* g, std::int64_t n);                         \
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
