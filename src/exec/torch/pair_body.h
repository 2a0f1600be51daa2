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

// The inner indices over which row i of a product sums.
struct Span {
  std::int64_t from, to;
};
template <class T>
inline Span inner_of(const PairProduct<T>& p, std::int64_t i) {
  if (!p.from) return {0, p.inner};
  const std::int64_t from = std::max<std::int64_t>(p.from[i] - p.first, 0);
  return {from, std::max(from, std::min<std::int64_t>(p.to[i] - p.first, p.inner))};
}
// Tiles of rows whose bounds rise by one from row to row have triangles at their ends: inner index j of the
// first kRows - 1 belongs to the rows up to j, of the last ones to those behind j. The loops are unrolled, so
// that sums stay in registers.
template <int kRows, int kIndex = 0, class F>
inline void lower_triangle(const F& f) {
  if constexpr (kIndex < kRows - 1) {
    for (int r = 0; r <= kIndex; ++r) f(r, kIndex);
    lower_triangle<kRows, kIndex + 1>(f);
  }
}
template <int kRows, int kIndex = 0, class F>
inline void upper_triangle(const F& f) {
  if constexpr (kIndex < kRows - 1) {
    for (int r = kIndex + 1; r < kRows; ++r) f(r, kIndex);
    upper_triangle<kRows, kIndex + 1>(f);
  }
}

// The inner indices that all rows have. Sums of its own: those that a lambda holds as well would be written
// to memory at every index.
template <int kRows, int kVectors, class T>
inline void product_inner(const PairProduct<T>& p, const T* a, const T* b, std::int64_t count,
                          typename Lanes<T>::Vector (&sums)[kRows][kVectors]) {
  using L = Lanes<T>;
  typename L::Vector sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) sum[r][v] = sums[r][v];
  for (std::int64_t k = 0; k < count; ++k, a += p.a_inner, b += p.b_inner) {
    typename L::Vector row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = L::load(b + v * L::kCount);
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sum[r][v] += a[r * p.a_row] * row[v];
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) sums[r][v] = sum[r][v];
}

// Each row sums in the order of its inner indices: those before the ones that all rows have, these, and those
// behind them. Bounds are the same for all rows or rise by one from row to row; a loop over rows of any other
// length would keep the sums in memory.
template <int kRows, int kVectors, class T>
inline void product_tile(const PairProduct<T>& p, std::int64_t i, std::int64_t j, const Span& first,
                         const Span& last) {
  using L = Lanes<T>;
  typename L::Vector sum[kRows][kVectors];
  const T* const a = p.a + i * p.a_row;
  const T* const b = p.b + j;
  T* const c = p.c + i * p.c_row + j;
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] = p.adds ? L::load(c + r * p.c_row + v * L::kCount) : typename L::Vector{};
  const auto add = [&](int r, std::int64_t k) {
    for (int v = 0; v < kVectors; ++v)
      sum[r][v] += a[r * p.a_row + k * p.a_inner] * L::load(b + k * p.b_inner + v * L::kCount);
  };
  const std::int64_t from = last.from, to = std::max(from, first.to);
  if (last.from - first.from == kRows - 1)
    lower_triangle<kRows>([&](int r, int k) { add(r, first.from + k); });
  product_inner<kRows, kVectors>(p, a + from * p.a_inner, b + from * p.b_inner, to - from, sum);
  if (last.to - first.to == kRows - 1) upper_triangle<kRows>([&](int r, int k) { add(r, first.to + k); });
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) L::store(c + r * p.c_row + v * L::kCount, sum[r][v]);
}

// Rows that have no inner index in common, such as those of two documents, and those whose bounds rise in
// another way are computed in smaller tiles.
template <int kRows, int kVectors, class T>
inline void product_tiles(const PairProduct<T>& p, std::int64_t i, std::int64_t j) {
  const Span first = inner_of(p, i), last = inner_of(p, i + kRows - 1);
  if constexpr (kRows > 1) {
    const auto is_even = [](std::int64_t rise) { return rise == 0 || rise == kRows - 1; };
    const bool apart = first.to <= last.from && p.inner > 0;
    if (apart || !is_even(last.from - first.from) || !is_even(last.to - first.to)) {
      product_tiles<kRows / 2, kVectors>(p, i, j);
      product_tiles<kRows / 2, kVectors>(p, i + kRows / 2, j);
      return;
    }
  }
  product_tile<kRows, kVectors>(p, i, j, first, last);
}

template <int kRows, int kVectors, class T>
inline void product_rows(const PairProduct<T>& p, std::int64_t i, std::int64_t j) {
  for (; i + kRows <= p.rows; i += kRows) product_tiles<kRows, kVectors>(p, i, j);
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

// f(k, whole) for the groups of kPairAlign values from k on that hold some of [from, to); `whole`: all of a
// group.
template <class F>
inline void for_each_group(std::int64_t from, std::int64_t to, const F& f) {
  for (std::int64_t k = from / kPairAlign * kPairAlign; k < to; k += kPairAlign)
    f(k, from <= k && k + kPairAlign <= to);
}

template <class T>
inline T largest(const T* x, std::int64_t n) {
  T chains[kPairAlign];
  std::copy(x, x + kPairAlign, chains);
  for (std::int64_t k = kPairAlign; k < n; k += kPairAlign)
    for (std::int64_t c = 0; c < kPairAlign; ++c) chains[c] = chains[c] > x[k + c] ? chains[c] : x[k + c];
  return *std::max_element(chains, chains + kPairAlign);
}

// The largest of x[from, to); NaN where one of them is.
template <class T>
inline T maximum_of(const T* x, std::int64_t from, std::int64_t to) {
  T chains[kPairAlign], nan = 0;  // a sum of nothing but 0 and NaN
  std::fill_n(chains, kPairAlign, -std::numeric_limits<T>::infinity());
  for_each_group(from, to, [&](std::int64_t k, bool whole) {
    const std::int64_t first = whole ? 0 : std::max<std::int64_t>(from - k, 0),
                       end = whole ? kPairAlign : std::min(to - k, kPairAlign);
    for (std::int64_t c = first; c < end; ++c) {
      nan += std::isnan(x[k + c]) ? x[k + c] : T(0);
      chains[c] = chains[c] > x[k + c] ? chains[c] : x[k + c];
    }
  });
  return std::isnan(nan) ? nan : *std::max_element(chains, chains + kPairAlign);
}

// The sum of a[k], or of a[k] b[k], over [from, to). Values at the same place of kPairAlign are added first,
// then these: the order does not depend on where the row begins.
template <bool kDot, class T>
inline T sum_of(const T* a, const T* b, std::int64_t from, std::int64_t to) {
  using L = Lanes<T>;
  constexpr int kChains = static_cast<int>(kPairAlign) / L::kCount;
  typename L::Vector sum[kChains] = {};
  for_each_group(from, to, [&](std::int64_t k, bool whole) {
    for (int c = 0; c < kChains; ++c) {
      const std::int64_t at = k + c * L::kCount;
      const typename L::Vector x = kDot ? L::load(a + at) * L::load(b + at) : L::load(a + at);
      sum[c] += whole ? x : L::inside(x, from - at, to - at);
    }
  });
  for (int c = 1; c < kChains; ++c) sum[0] += sum[c];
  return L::sum(sum[0]);
}

// y[k] += x[k], or w x[k], over [from, to).
template <class T>
inline void add_row(T* y, const T* x, const T* w, std::int64_t from, std::int64_t to) {
  using L = Lanes<T>;
  for_each_group(from, to, [&](std::int64_t k, bool whole) {
    for (std::int64_t at = k; at < k + kPairAlign; at += L::kCount) {
      const typename L::Vector v = w ? *w * L::load(x + at) : L::load(x + at);
      L::store(y + at, L::load(y + at) + (whole ? v : L::inside(v, from - at, to - at)));
    }
  });
}

template <class T>
inline void softmax_row(T* __restrict y, const T* x, std::int64_t n) {
  const T top = largest(x, n);
  for (std::int64_t k = 0; k < n; ++k) y[k] = exponential(x[k] - top);
  const T share = T(1) / sum_of<false>(y, y, 0, n);
  for (std::int64_t k = 0; k < n; ++k) y[k] *= share;
}

template <class T>
void softmax_rows(const PairRows& rows, T* y, T* x) {
  for (std::int64_t t = 0; t < rows.count; ++t, y += rows.row, x += rows.row) {
    const std::int64_t from = rows.from[t] / kPairAlign * kPairAlign, to = aligned(rows.to[t]);
    std::fill(x + from, x + rows.from[t], -std::numeric_limits<T>::infinity());
    std::fill(x + rows.to[t], x + to, -std::numeric_limits<T>::infinity());
    softmax_row(y + from, x + from, to - from);
  }
}

template <class T>
void softmax_grad_rows(const PairRows& rows, T* y, const T* w, const T* g) {
  for (std::int64_t t = 0; t < rows.count; ++t, y += rows.row, w += rows.row, g += rows.row) {
    const T mean = sum_of<true>(w, g, rows.from[t], rows.to[t]);
    T* __restrict out = y;
    for (std::int64_t k = rows.from[t]; k < rows.to[t]; ++k) out[k] = w[k] * (g[k] - mean);
  }
}

// Four distances at a time, so that y is read and written once for all of them.
constexpr std::int64_t kDistances = 4;

template <class T>
void convolve_row(T* __restrict y, const T* __restrict f, const T* __restrict u, std::int64_t n) {
  std::int64_t l = 0;
  for (; l + kDistances <= n; l += kDistances) {
    for (std::int64_t t = l; t < l + kDistances - 1; ++t)
      for (std::int64_t j = l; j <= t; ++j) y[t] += f[j] * u[t - j];
    const T f0 = f[l], f1 = f[l + 1], f2 = f[l + 2], f3 = f[l + 3];
    const T* const from = u - l;
    for (std::int64_t t = l + kDistances - 1; t < n; ++t) {
      T sum = y[t] + f0 * from[t];
      sum += f1 * from[t - 1];
      sum += f2 * from[t - 2];
      y[t] = sum + f3 * from[t - 3];
    }
  }
  for (; l < n; ++l)
    for (std::int64_t t = l; t < n; ++t) y[t] += f[l] * u[t - l];
}

template <class T>
void correlate_row(T* __restrict y, const T* __restrict f, const T* __restrict u, std::int64_t n) {
  std::int64_t l = 0;
  for (; l + kDistances <= n; l += kDistances) {
    const T f0 = f[l], f1 = f[l + 1], f2 = f[l + 2], f3 = f[l + 3];
    const T* const from = u + l;
    const std::int64_t most = n - l - kDistances + 1;
    for (std::int64_t s = 0; s < most; ++s) {
      T sum = y[s] + f0 * from[s];
      sum += f1 * from[s + 1];
      sum += f2 * from[s + 2];
      y[s] = sum + f3 * from[s + 3];
    }
    for (std::int64_t s = most; s < n - l; ++s)
      for (std::int64_t j = l; j < n - s; ++j) y[s] += f[j] * u[s + j];
  }
  for (; l < n; ++l)
    for (std::int64_t s = 0; s < n - l; ++s) y[s] += f[l] * u[s + l];
}

template <class T>
void lag_products_row(T* y, const T* u, const T* g, std::int64_t n) {
  using L = Lanes<T>;
  for (std::int64_t l = 0; l < n; l += kDistances) {
    const std::int64_t count = std::min(kDistances, n - l),
                       whole = (n - l - count + 1) / L::kCount * L::kCount;
    typename L::Vector sums[kDistances] = {};
    if (count == kDistances)
      for (std::int64_t s = 0; s < whole; s += L::kCount)
        for (std::int64_t j = 0; j < kDistances; ++j) sums[j] += L::load(u + s) * L::load(g + l + j + s);
    for (std::int64_t j = 0; j < count; ++j) {
      T sum = L::sum(sums[j]);
      for (std::int64_t s = count == kDistances ? whole : 0; s < n - l - j; ++s) sum += u[s] * g[l + j + s];
      y[l + j] += sum;
    }
  }
}

// Rows of any length: what is beyond the last multiple of kPairAlign comes one by one.
template <class T>
inline T cross_entropy_row(T* __restrict x, std::int64_t width, std::int64_t target, T scale) {
  if (target < 0) {
    for (std::int64_t k = 0; k < width; ++k) x[k] = 0;
    return 0;
  }
  const std::int64_t whole = width / kPairAlign * kPairAlign;
  T top = whole > 0 ? largest(x, whole) : x[0];
  for (std::int64_t k = whole; k < width; ++k) top = top > x[k] ? top : x[k];
  const T chosen = x[target] - top;
  for (std::int64_t k = 0; k < width; ++k) x[k] = exponential(x[k] - top);
  T sum = sum_of<false>(x, x, 0, whole);
  for (std::int64_t k = whole; k < width; ++k) sum += x[k];
  const T share = scale / sum;
  for (std::int64_t k = 0; k < width; ++k) x[k] *= share;
  x[target] -= scale;
  return std::log(sum) - chosen;
}

}  // namespace

#define GABBRO_PAIR_KERNELS_OF(T)                                                                   \
  void multiply(const PairProduct<T>& task) { product_columns<kProductVectors>(task, 0); }          \
  void softmax(const PairRows& rows, T* y, T* x) { softmax_rows(rows, y, x); }                      \
  void softmax_grad(const PairRows& rows, T* y, const T* w, const T* g) {                           \
    softmax_grad_rows(rows, y, w, g);                                                               \
  }                                                                                                 \
  void row_sums(const PairRows& rows, T* y, const T* a, const T* b, std::int64_t b_row) {           \
    for (std::int64_t t = 0; t < rows.count; ++t, a += rows.row)                                    \
      y[t] = b ? sum_of<true>(a, b + t * b_row, rows.from[t], rows.to[t])                           \
               : sum_of<false>(a, a, rows.from[t], rows.to[t]);                                     \
  }                                                                                                 \
  void row_maxima(const PairRows& rows, T* y, const T* x) {                                         \
    for (std::int64_t t = 0; t < rows.count; ++t)                                                   \
      y[t] = maximum_of(x + t * rows.row, rows.from[t], rows.to[t]);                                \
  }                                                                                                 \
  void column_sums(const PairRows& rows, T* y, const T* x, const T* w) {                            \
    for (std::int64_t t = 0; t < rows.count; ++t)                                                   \
      add_row(y, x + t * rows.row, w ? w + t : nullptr, rows.from[t], rows.to[t]);                  \
  }                                                                                                 \
  void convolve(T* y, const T* f, const T* u, std::int64_t n) { convolve_row(y, f, u, n); }         \
  void correlate(T* y, const T* f, const T* u, std::int64_t n) { correlate_row(y, f, u, n); }       \
  void lag_products(T* y, const T* u, const T* g, std::int64_t n) { lag_products_row(y, u, g, n); } \
  void cross_entropy(T* losses, T* logits, const std::int64_t* targets, std::int64_t rows,          \
                     std::int64_t width, T scale) {                                                 \
    for (std::int64_t r = 0; r < rows; ++r)                                                         \
      losses[r] = cross_entropy_row(logits + r * width, width, targets[r], scale);                  \
  }
GABBRO_PAIR_KERNELS_OF(float)
GABBRO_PAIR_KERNELS_OF(double)

}  // namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE
