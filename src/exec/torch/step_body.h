// The kernels of step_kernel.h, in the namespace of the file that includes this one. Innermost loops are
// plain loops over numbers side by side, or over one number, so that the compiler makes vectors of them.
#include <algorithm>
#include <cmath>

#include "exec/torch/kernel_functions.h"
#include "exec/torch/lanes.h"
#include "exec/torch/step_kernel.h"

namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE {

namespace {

using Code = Instruction::Code;

// Adding 0 makes zeros positive where their sign would decide that of an infinity: sums and maxima do not
// promise it.
template <Code code, class T>
inline T apply(T a, T b, double value) {
  if constexpr (code == Code::kFill) return static_cast<T>(value);
  if constexpr (code == Code::kCopy) return a;
  if constexpr (code == Code::kAdd) return a + b;
  if constexpr (code == Code::kSubtract) return a - b;
  if constexpr (code == Code::kMultiply) return a * b;
  if constexpr (code == Code::kDivide) return a / (b + T(0));
  if constexpr (code == Code::kPower)  // in float64, so that whole powers stay whole
    return static_cast<T>(std::pow(static_cast<double>(a) + 0.0, static_cast<double>(b)));
  if constexpr (code == Code::kMax) return std::isnan(a) || a > b ? a : b;
  if constexpr (code == Code::kLess) return a < b ? T(1) : T(0);
  if constexpr (code == Code::kRecip) return T(1) / (a + T(0));
  if constexpr (code == Code::kSqrt) return std::sqrt(a);
  if constexpr (code == Code::kSquare) return a * a;
  if constexpr (code == Code::kPow) return std::pow(a + T(0), static_cast<T>(value));
  if constexpr (code == Code::kExp) return exponential(a);
  if constexpr (code == Code::kLog) return logarithm(a);
  if constexpr (code == Code::kSin) return std::sin(a);
  if constexpr (code == Code::kCos) return std::cos(a);
  if constexpr (code == Code::kTanh) return hyperbolic_tangent(a);
  if constexpr (code == Code::kSigmoid) return T(1) / (T(1) + exponential(-a));
  if constexpr (code == Code::kSoftplus)
    return std::max(a, T(0)) + logarithm_of_1_and(exponential(-std::abs(a)));
  if constexpr (code == Code::kErf) return error_function(a);
  if constexpr (code == Code::kFloor) return std::floor(a);
}

// Calls inner(out, a, b, c) at every turn of the loops but the last `kInner`.
template <int kInner = 1, class T, class Inner>
inline void outer_loops(const Instruction& i, T* const* bases, Inner inner) {
  T* out = bases[i.out.base] + i.out.offset;
  const T *a = bases[i.in[0].base] + i.in[0].offset, *b = bases[i.in[1].base] + i.in[1].offset,
          *c = bases[i.in[2].base] + i.in[2].offset;
  const int last = i.loops - kInner - 1;
  if (last < 0) return inner(out, a, b, c);
  const auto l = static_cast<std::size_t>(last);
  const std::int64_t rows = i.size[l], to = i.out.stride[l], da = i.in[0].stride[l], db = i.in[1].stride[l],
                     dc = i.in[2].stride[l];
  if (last == 0) {
    for (std::int64_t r = 0; r < rows; ++r) inner(out + r * to, a + r * da, b + r * db, c + r * dc);
    return;
  }
  std::array<std::int64_t, ir::kMaxRank> turn{};
  while (true) {
    for (std::int64_t r = 0; r < rows; ++r) inner(out + r * to, a + r * da, b + r * db, c + r * dc);
    int d = last - 1;
    for (; d >= 0; --d) {
      const auto k = static_cast<std::size_t>(d);
      const std::int64_t back = ++turn[k] < i.size[k] ? 0 : i.size[k];
      out += i.out.stride[k] - back * i.out.stride[k];
      a += i.in[0].stride[k] - back * i.in[0].stride[k];
      b += i.in[1].stride[k] - back * i.in[1].stride[k];
      c += i.in[2].stride[k] - back * i.in[2].stride[k];
      if (back == 0) break;
      turn[k] = 0;
    }
    if (d < 0) return;
  }
}

struct Inner {
  std::int64_t n = 1, out = 1, a = 1, b = 1, c = 1;
};
inline Inner inner_of(const Instruction& i) {
  if (i.loops == 0) return {};
  const auto l = static_cast<std::size_t>(i.loops - 1);
  return {i.size[l], i.out.stride[l], i.in[0].stride[l], i.in[1].stride[l], i.in[2].stride[l]};
}

// out[r] = c[r] + a[r] b for as many columns as kVectors vectors hold: b stays in registers while the rows go
// by.
template <int kVectors, bool kAdds, class T>
void outer_columns(T* out, std::int64_t dout, const T* a, std::int64_t da, const T* b, const T* c,
                   std::int64_t dc, std::int64_t rows) {
  using L = Lanes<T>;
  typename L::Vector y[kVectors];
  for (int v = 0; v < kVectors; ++v) y[v] = L::load(b + v * L::kCount);
  for (std::int64_t r = 0; r < rows; ++r)
    for (int v = 0; v < kVectors; ++v) {
      const auto product = a[r * da] * y[v];
      L::store(out + r * dout + v * L::kCount,
               kAdds ? product + L::load(c + r * dc + v * L::kCount) : product);
    }
}

// Outer products of the last two loops, a b or a b + c; false: the loops are none. `added`: the place of what
// is added; null: nothing.
template <bool kAdds, class T>
bool outer_product(const Instruction& i, T* const* bases, const Instruction::Place* added) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  if (i.loops < 2) return false;
  const auto l = static_cast<std::size_t>(i.loops - 2);
  const std::int64_t n = i.size[l + 1], rows = i.size[l], dout = i.out.stride[l];
  const bool swapped = i.in[0].stride[l + 1] == 1;
  const Instruction::Place &column = i.in[swapped ? 1 : 0], &row = i.in[swapped ? 0 : 1];
  if (n % kCount != 0 || i.out.stride[l + 1] != 1 || dout == 0 || column.stride[l + 1] != 0 ||
      row.stride[l + 1] != 1 || row.stride[l] != 0 || (kAdds && added->stride[l + 1] != 1))
    return false;
  const std::int64_t da = column.stride[l], dc = kAdds ? added->stride[l] : 0;
  outer_loops<2>(i, bases, [&](T* out, const T* first, const T* second, const T* third) {
    const T *a = swapped ? second : first, *b = swapped ? first : second, *c = added == &i.out ? out : third;
    std::int64_t k = 0;
    for (; k + 4 * kCount <= n; k += 4 * kCount)
      outer_columns<4, kAdds>(out + k, dout, a, da, b + k, c + k, dc, rows);
    for (; k + 2 * kCount <= n; k += 2 * kCount)
      outer_columns<2, kAdds>(out + k, dout, a, da, b + k, c + k, dc, rows);
    for (; k < n; k += kCount) outer_columns<1, kAdds>(out + k, dout, a, da, b + k, c + k, dc, rows);
  });
  return true;
}

template <Code code, class T>
void pointwise(const Instruction& i, T* const* bases) {
  if (code == Code::kMultiply && outer_product<false>(i, bases, nullptr)) return;
  const Inner s = inner_of(i);
  const double value = i.value;
  constexpr bool kUnary = code <= Code::kCopy || code >= Code::kRecip;
  if (s.n == 1 || (s.out == 1 && (s.a == 1 || code == Code::kFill) && (kUnary || s.b == 1)))
    outer_loops(i, bases, [&](T* __restrict out, const T* a, const T* b, const T*) {
      for (std::int64_t k = 0; k < s.n; ++k) out[k] = apply<code>(a[k], kUnary ? T(0) : b[k], value);
    });
  else if (!kUnary && s.out == 1 && s.a == 1 && s.b == 0)
    outer_loops(i, bases, [&](T* __restrict out, const T* a, const T* b, const T*) {
      const T y = *b;
      for (std::int64_t k = 0; k < s.n; ++k) out[k] = apply<code>(a[k], y, value);
    });
  else if (!kUnary && s.out == 1 && s.a == 0 && s.b == 1)
    outer_loops(i, bases, [&](T* __restrict out, const T* a, const T* b, const T*) {
      const T x = *a;
      for (std::int64_t k = 0; k < s.n; ++k) out[k] = apply<code>(x, b[k], value);
    });
  else
    outer_loops(i, bases, [&](T* out, const T* a, const T* b, const T*) {
      for (std::int64_t k = 0; k < s.n; ++k)
        out[k * s.out] = apply<code>(a[k * s.a], kUnary ? T(0) : b[k * s.b], value);
    });
}

// a b + c, where each lies side by side or is one number.
template <bool kA, bool kB, bool kC, class T>
void multiply_add(const Instruction& i, T* const* bases) {
  const std::int64_t n = inner_of(i).n;
  outer_loops(i, bases, [&](T* __restrict out, const T* a, const T* b, const T* c) {
    for (std::int64_t k = 0; k < n; ++k) out[k] = a[kA ? k : 0] * b[kB ? k : 0] + c[kC ? k : 0];
  });
}
template <class T>
void multiply_add(const Instruction& i, T* const* bases) {
  if (outer_product<true>(i, bases, &i.in[2])) return;
  const Inner s = inner_of(i);
  const auto smooth = [](std::int64_t stride) { return stride == 0 || stride == 1; };
  if (s.out == 1 && smooth(s.a) && smooth(s.b) && smooth(s.c)) {
    switch ((s.a << 2) | (s.b << 1) | s.c) {
      case 0:
        return multiply_add<false, false, false>(i, bases);
      case 1:
        return multiply_add<false, false, true>(i, bases);
      case 2:
        return multiply_add<false, true, false>(i, bases);
      case 3:
        return multiply_add<false, true, true>(i, bases);
      case 4:
        return multiply_add<true, false, false>(i, bases);
      case 5:
        return multiply_add<true, false, true>(i, bases);
      case 6:
        return multiply_add<true, true, false>(i, bases);
      default:
        return multiply_add<true, true, true>(i, bases);
    }
  }
  outer_loops(i, bases, [&](T* out, const T* a, const T* b, const T* c) {
    for (std::int64_t k = 0; k < s.n; ++k) out[k * s.out] = a[k * s.a] * b[k * s.b] + c[k * s.c];
  });
}

template <class T>
void where(const Instruction& i, T* const* bases) {
  const Inner s = inner_of(i);
  outer_loops(i, bases, [&](T* out, const T* a, const T* b, const T* c) {
    for (std::int64_t k = 0; k < s.n; ++k) out[k * s.out] = a[k * s.a] != 0 ? b[k * s.b] : c[k * s.c];
  });
}

// out += sum over rows r of a[r] b[r], for as many columns as kVectors vectors hold. Sums of kChains rows
// each do not wait for one another.
template <int kVectors, class T>
void combine_columns(T* out, const T* a, std::int64_t da, const T* b, std::int64_t db, std::int64_t rows) {
  using L = Lanes<T>;
  constexpr int kChains = 8 / kVectors;
  typename L::Vector total[kChains][kVectors] = {};
  const auto add = [&](std::int64_t r, int chain) {
    for (int v = 0; v < kVectors; ++v) total[chain][v] += a[r * da] * L::load(b + r * db + v * L::kCount);
  };
  std::int64_t r = 0;
  for (; r + kChains <= rows; r += kChains)
    for (int c = 0; c < kChains; ++c) add(r + c, c);
  for (; r < rows; ++r) add(r, 0);
  for (int v = 0; v < kVectors; ++v) {
    for (int c = 1; c < kChains; ++c) total[0][v] += total[c][v];
    T* const to = out + v * L::kCount;
    L::store(to, L::load(to) + total[0][v]);
  }
}

// Rows of b times numbers of a, added up: the sums stay in registers while the rows go by.
template <class T>
void combine_rows(const Instruction& i, T* const* bases, bool swapped) {
  constexpr std::int64_t kCount = Lanes<T>::kCount;
  const auto l = static_cast<std::size_t>(i.loops - 2);
  const std::int64_t n = i.size[l + 1], rows = i.size[l], da = i.in[swapped ? 1 : 0].stride[l],
                     db = i.in[swapped ? 0 : 1].stride[l];
  outer_loops<2>(i, bases, [&](T* out, const T* first, const T* second, const T*) {
    const T *a = swapped ? second : first, *b = swapped ? first : second;
    std::int64_t k = 0;
    for (; k + 2 * kCount <= n; k += 2 * kCount) combine_columns<2>(out + k, a, da, b + k, db, rows);
    for (; k + kCount <= n; k += kCount) combine_columns<1>(out + k, a, da, b + k, db, rows);
    if (k == n) return;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = k; j < n; ++j) out[j] += a[r * da] * b[r * db + j];
  });
}

// The sum of a, or of a b, over numbers side by side.
template <bool dot, class T>
T row_sum(const T* a, const T* b, std::int64_t n) {
  using L = Lanes<T>;
  constexpr int kChains = 4;
  typename L::Vector sum[kChains] = {};
  const auto at = [&](std::int64_t k) { return dot ? L::load(a + k) * L::load(b + k) : L::load(a + k); };
  std::int64_t k = 0;
  for (; k + kChains * L::kCount <= n; k += kChains * L::kCount)
    for (int c = 0; c < kChains; ++c) sum[c] += at(k + c * L::kCount);
  for (; k + L::kCount <= n; k += L::kCount) sum[0] += at(k);
  T total = L::sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
  for (; k < n; ++k) total += dot ? a[k] * b[k] : a[k];
  return total;
}

// Rows of a, each times b and added up. The numbers of as many rows as a vector has lanes are added up
// together.
template <class T>
void row_sums(const Instruction& i, T* const* bases, bool swapped) {
  using L = Lanes<T>;
  const auto l = static_cast<std::size_t>(i.loops - 2);
  const std::int64_t n = i.size[l + 1], rows = i.size[l], da = i.in[swapped ? 1 : 0].stride[l],
                     step = i.out.stride[l], whole = n / L::kCount * L::kCount;
  outer_loops<2>(i, bases, [&](T* out, const T* first, const T* second, const T*) {
    const T *a = swapped ? second : first, *b = swapped ? first : second;
    std::int64_t r = 0;
    for (; whole > 0 && r + L::kCount <= rows; r += L::kCount) {
      const auto total = L::sums(r, [&](std::int64_t row) {
        typename L::Vector sum = L::load(a + row * da) * L::load(b);
        for (std::int64_t k = L::kCount; k < whole; k += L::kCount)
          sum += L::load(a + row * da + k) * L::load(b + k);
        return sum;
      });
      if (whole == n && step == 1) {
        L::store(out + r, L::load(out + r) + total);
        continue;
      }
      for (int j = 0; j < L::kCount; ++j) {
        T rest = total[j];
        for (std::int64_t k = whole; k < n; ++k) rest += a[(r + j) * da + k] * b[k];
        out[(r + j) * step] += rest;
      }
    }
    for (; r < rows; ++r) out[r * step] += row_sum<true>(a + r * da, b, n);
  });
}

// Sums of a, or of a b.
template <bool dot, class T>
void sum(const Instruction& i, T* const* bases) {
  const Inner s = inner_of(i);
  if (dot && i.loops >= 2) {
    const auto l = static_cast<std::size_t>(i.loops - 2);
    if (s.out == 1 && s.a + s.b == 1 && s.a * s.b == 0 && i.out.stride[l] == 0)
      return combine_rows(i, bases, s.a == 1);
    if (s.out == 0 && s.a == 1 && s.b == 1 && i.out.stride[l] != 0 &&
        (i.in[0].stride[l] == 0) != (i.in[1].stride[l] == 0))
      return row_sums(i, bases, i.in[0].stride[l] == 0);
    if (outer_product<true>(i, bases, &i.out)) return;
  }
  if (s.out == 0 && s.a == 1 && (!dot || s.b == 1))
    outer_loops(i, bases, [&](T* out, const T* a, const T* b, const T*) { *out += row_sum<dot>(a, b, s.n); });
  else if (s.out == 1 && s.a == 1 && (!dot || s.b == 1))
    outer_loops(i, bases, [&](T* __restrict out, const T* a, const T* b, const T*) {
      for (std::int64_t k = 0; k < s.n; ++k) out[k] += dot ? a[k] * b[k] : a[k];
    });
  else if (dot && s.out == 1 && s.a == 1 && s.b == 0)
    outer_loops(i, bases, [&](T* __restrict out, const T* a, const T* b, const T*) {
      const T y = *b;
      for (std::int64_t k = 0; k < s.n; ++k) out[k] += a[k] * y;
    });
  else if (dot && s.out == 1 && s.a == 0 && s.b == 1)
    outer_loops(i, bases, [&](T* __restrict out, const T* a, const T* b, const T*) {
      const T x = *a;
      for (std::int64_t k = 0; k < s.n; ++k) out[k] += x * b[k];
    });
  else
    outer_loops(i, bases, [&](T* out, const T* a, const T* b, const T*) {
      for (std::int64_t k = 0; k < s.n; ++k) out[k * s.out] += dot ? a[k * s.a] * b[k * s.b] : a[k * s.a];
    });
}

template <class T>
void greatest(const Instruction& i, T* const* bases) {
  const Inner s = inner_of(i);
  outer_loops(i, bases, [&](T* out, const T* a, const T*, const T*) {
    for (std::int64_t k = 0; k < s.n; ++k) {
      const T x = a[k * s.a];
      T& y = out[k * s.out];
      y = std::isnan(y) || y > x ? y : x;
    }
  });
}

template <class T>
void run(const Instruction* code, std::int64_t count, T* const* bases) {
  for (const Instruction* i = code; i < code + count; ++i) {
    switch (i->code) {
#define GABBRO_POINTWISE(name)           \
  case Code::name:                       \
    pointwise<Code::name, T>(*i, bases); \
    break;
      GABBRO_POINTWISE(kFill)
      GABBRO_POINTWISE(kCopy)
      GABBRO_POINTWISE(kAdd)
      GABBRO_POINTWISE(kSubtract)
      GABBRO_POINTWISE(kMultiply)
      GABBRO_POINTWISE(kDivide)
      GABBRO_POINTWISE(kPower)
      GABBRO_POINTWISE(kMax)
      GABBRO_POINTWISE(kLess)
      GABBRO_POINTWISE(kRecip)
      GABBRO_POINTWISE(kSqrt)
      GABBRO_POINTWISE(kSquare)
      GABBRO_POINTWISE(kPow)
      GABBRO_POINTWISE(kExp)
      GABBRO_POINTWISE(kLog)
      GABBRO_POINTWISE(kSin)
      GABBRO_POINTWISE(kCos)
      GABBRO_POINTWISE(kTanh)
      GABBRO_POINTWISE(kSigmoid)
      GABBRO_POINTWISE(kSoftplus)
      GABBRO_POINTWISE(kErf)
      GABBRO_POINTWISE(kFloor)
#undef GABBRO_POINTWISE
      case Code::kWhere:
        where(*i, bases);
        break;
      case Code::kMultiplyAdd:
        multiply_add(*i, bases);
        break;
      case Code::kSum:
        sum<false>(*i, bases);
        break;
      case Code::kDot:
        sum<true>(*i, bases);
        break;
      case Code::kMaxOver:
        greatest(*i, bases);
        break;
    }
  }
}

}  // namespace

void run_step(const Instruction* code, std::int64_t count, float* const* bases) { run(code, count, bases); }
void run_step(const Instruction* code, std::int64_t count, double* const* bases) { run(code, count, bases); }

}  // namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE
