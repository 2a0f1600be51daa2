// The kernels of pair_kernel.h, in the namespace of the file that includes this one.
#include <algorithm>
#include <cmath>
#include <limits>

#include "exec/torch/kernel_functions.h"
#include "exec/torch/lanes.h"
#include "exec/torch/pair_kernel.h"

namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE {

namespace {

// Rows and vectors of a product whose sums stay in registers, at most.
constexpr int kProductRows = kBytes == 64 ? 8 : 4, kProductVectors = 3;

template <int kRows, int kVectors, class T>
inline void product_tile(const PairProduct<T>& p, std::int64_t i, std::int64_t j) {
  using L = Lanes<T>;
  typename L::Vector sum[kRows][kVectors];
  const T* a = p.a + i * p.a_row;
  const T* b = p.b + j;
  T* c = p.c + i * p.c_row + j;
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] = p.adds ? L::load(c + r * p.c_row + v * L::kCount) : typename L::Vector{};
  for (std::int64_t k = 0; k < p.inner; ++k, a += p.a_inner, b += p.b_inner) {
    typename L::Vector row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = L::load(b + v * L::kCount);
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sum[r][v] += a[r * p.a_row] * row[v];
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) L::store(c + r * p.c_row + v * L::kCount, sum[r][v]);
}

template <int kRows, int kVectors, class T>
inline void product_rows(const PairProduct<T>& p, std::int64_t i, std::int64_t j) {
  for (; i + kRows <= p.rows; i += kRows) product_tile<kRows, kVectors>(p, i, j);
  if constexpr (kRows > 1)
    if (i < p.rows) product_rows<kRows / 2, kVectors>(p, i, j);
}

template <int kVectors, class T>
inline void product_columns(const PairProduct<T>& p, std::int64_t j) {
  constexpr std::int64_t kWidth = kVectors * Lanes<T>::kCount;
  const std::int64_t columns = aligned(p.columns);
  for (; j + kWidth <= columns; j += kWidth) product_rows<kProductRows, kVectors>(p, 0, j);
  if constexpr (kVectors > 1)
    if (j < columns) product_columns<kVectors - 1>(p, j);
}

// What of a row is inside, from and to multiples of kPairAlign.
struct Span {
  std::int64_t from, to;
};
inline Span span_of(const PairRows& rows, std::int64_t t) {
  return {rows.from[t] / kPairAlign * kPairAlign, aligned(rows.to[t])};
}

template <class T>
inline T largest(const T* x, std::int64_t n) {
  T chains[kPairAlign];
  std::copy(x, x + kPairAlign, chains);
  for (std::int64_t k = kPairAlign; k < n; k += kPairAlign)
    for (std::int64_t c = 0; c < kPairAlign; ++c) chains[c] = chains[c] > x[k + c] ? chains[c] : x[k + c];
  return *std::max_element(chains, chains + kPairAlign);
}

// The same; not a number where one of them is none.
template <class T>
inline T largest_number(const T* x, std::int64_t n) {
  T sum = 0;  // of nothing but 0 and what is not a number
  for (std::int64_t k = 0; k < n; ++k) sum += std::isnan(x[k]) ? x[k] : T(0);
  return std::isnan(sum) ? sum : largest(x, n);
}

// Sums of numbers that lie at the same place of kPairAlign, then of these: the order does not depend on where the row begins.
template <bool kDot, class T>
inline T sum_of(const T* a, const T* b, std::int64_t n) {
  using L = Lanes<T>;
  constexpr int kChains = static_cast<int>(kPairAlign) / L::kCount;
  typename L::Vector sum[kChains] = {};
  for (std::int64_t k = 0; k < n; k += kPairAlign)
    for (int c = 0; c < kChains; ++c) {
      const std::int64_t at = k + c * L::kCount;
      sum[c] += kDot ? L::load(a + at) * L::load(b + at) : L::load(a + at);
    }
  for (int c = 1; c < kChains; ++c) sum[0] += sum[c];
  return L::sum(sum[0]);
}

// x = value in [begin, end) but for [from, to).
template <class T>
inline void fill_around(T* x, std::int64_t begin, std::int64_t from, std::int64_t to, std::int64_t end,
                        T value) {
  std::fill(x + begin, x + from, value);
  std::fill(x + to, x + end, value);
}

template <class T>
inline void softmax_row(T* __restrict y, const T* x, std::int64_t n) {
  const T top = largest(x, n);
  for (std::int64_t k = 0; k < n; ++k) y[k] = exponential(x[k] - top);
  const T share = T(1) / sum_of<false>(y, y, n);
  for (std::int64_t k = 0; k < n; ++k) y[k] *= share;
}

template <class T>
void softmax_rows(const PairRows& rows, T* y, T* x) {
  for (std::int64_t t = 0; t < rows.count; ++t, y += rows.row, x += rows.row) {
    const Span s = span_of(rows, t);
    fill_around(x, s.from, rows.from[t], rows.to[t], s.to, -std::numeric_limits<T>::infinity());
    fill_around(y, rows.begin, s.from, s.to, rows.end, T(0));
    softmax_row(y + s.from, x + s.from, s.to - s.from);
  }
}

// Rows of any length: what is beyond the last multiple of kPairAlign comes one by one.
template <class T>
inline T cross_entropy_row(T* __restrict x, std::int64_t width, std::int64_t target, T scale) {
  const std::int64_t whole = width / kPairAlign * kPairAlign;
  T top = whole > 0 ? largest(x, whole) : x[0];
  for (std::int64_t k = whole; k < width; ++k) top = top > x[k] ? top : x[k];
  const T chosen = x[target] - top;
  for (std::int64_t k = 0; k < width; ++k) x[k] = exponential(x[k] - top);
  T sum = sum_of<false>(x, x, whole);
  for (std::int64_t k = whole; k < width; ++k) sum += x[k];
  const T share = scale / sum;
  for (std::int64_t k = 0; k < width; ++k) x[k] *= share;
  x[target] -= scale;
  return std::log(sum) - chosen;
}

template <class T>
void softmax_grad_rows(const PairRows& rows, T* y, const T* w, const T* g) {
  for (std::int64_t t = 0; t < rows.count; ++t, y += rows.row, w += rows.row, g += rows.row) {
    const Span s = span_of(rows, t);
    const T mean = sum_of<true>(w + s.from, g + s.from, s.to - s.from);
    fill_around(y, rows.begin, s.from, s.to, rows.end, T(0));
    T* __restrict out = y;
    for (std::int64_t k = s.from; k < s.to; ++k) out[k] = w[k] * (g[k] - mean);
  }
}

}  // namespace

#define GABBRO_PAIR_KERNELS_OF(T)                                                           \
  void multiply(const PairProduct<T>& task) { product_columns<kProductVectors>(task, 0); }  \
  void fill_outside(const PairRows& rows, T* x, T value) {                                  \
    for (std::int64_t t = 0; t < rows.count; ++t)                                           \
      fill_around(x + t * rows.row, rows.begin, rows.from[t], rows.to[t], rows.end, value); \
  }                                                                                         \
  void softmax(const PairRows& rows, T* y, T* x) { softmax_rows(rows, y, x); }              \
  void softmax_grad(const PairRows& rows, T* y, const T* w, const T* g) {                   \
    softmax_grad_rows(rows, y, w, g);                                                       \
  }                                                                                         \
  void row_sums(const PairRows& rows, T* y, const T* a, const T* b, std::int64_t b_row) {   \
    const std::int64_t n = rows.end - rows.begin;                                           \
    a += rows.begin;                                                                        \
    for (std::int64_t t = 0; t < rows.count; ++t, a += rows.row)                            \
      y[t] = b ? sum_of<true>(a, b + rows.begin + t * b_row, n) : sum_of<false>(a, a, n);   \
  }                                                                                         \
  void row_largest(const PairRows& rows, T* y, const T* x) {                                \
    for (std::int64_t t = 0; t < rows.count; ++t)                                           \
      y[t] = largest_number(x + rows.begin + t * rows.row, rows.end - rows.begin);          \
  }                                                                                         \
  void cross_entropy(T* losses, T* logits, const std::int64_t* targets, std::int64_t rows,  \
                     std::int64_t width, T scale) {                                         \
    for (std::int64_t r = 0; r < rows; ++r)                                                 \
      losses[r] = cross_entropy_row(logits + r * width, width, targets[r], scale);          \
  }
GABBRO_PAIR_KERNELS_OF(float)
GABBRO_PAIR_KERNELS_OF(double)

}  // namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE
