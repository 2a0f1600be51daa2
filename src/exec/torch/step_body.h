// The kernels of step_kernel.h, in the namespace of the file that includes this one. Innermost loops are plain loops over numbers side by
// side, or over one number, so that the compiler makes vectors of them.
#include <algorithm>
#include <bit>
#include <cmath>

#include "exec/torch/step_kernel.h"

namespace gabbro::exec::torch::GABBRO_STEP_NAMESPACE {

namespace {

using Code = Instruction::Code;

// The sum or product before the barrier is made first, though sums may be reordered in these files.
#if defined(__has_builtin) && __has_builtin(__builtin_assoc_barrier)
#define GABBRO_FIRST(x) __builtin_assoc_barrier(x)
#else
#define GABBRO_FIRST(x) (x)
#endif

// e^x without a call, to 2 units of the last place: x = n ln 2 + r, a polynomial in r (Cephes' expf), and n as an exponent, in two halves so that
// results beyond the range become infinite or 0.
inline float exponential(float x) {
  x = x > 90.F ? 90.F : x < -105.F ? -105.F : x;
  const float n = std::floor(x * 1.44269504F + 0.5F);
  const float r = GABBRO_FIRST(x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.F;
  const auto whole = static_cast<std::int32_t>(n), half = whole / 2;
  const auto power = [](std::int32_t e) { return std::bit_cast<float>((e + 127) << 23); };
  return GABBRO_FIRST(p * power(half)) * power(whole - half);
}
inline double exponential(double x) { return std::exp(x); }

template <Code code, class T>
inline T apply(T a, T b, double value) {
  if constexpr (code == Code::kFill) return static_cast<T>(value);
  if constexpr (code == Code::kCopy) return a;
  if constexpr (code == Code::kAdd) return a + b;
  if constexpr (code == Code::kSubtract) return a - b;
  if constexpr (code == Code::kMultiply) return a * b;
  if constexpr (code == Code::kDivide) return a / b;
  if constexpr (code == Code::kMax) return std::isnan(a) || a > b ? a : b;
  if constexpr (code == Code::kLess) return a < b ? T(1) : T(0);
  if constexpr (code == Code::kRecip) return T(1) / a;
  if constexpr (code == Code::kSqrt) return std::sqrt(a);
  if constexpr (code == Code::kSquare) return a * a;
  if constexpr (code == Code::kPow) return std::pow(a, static_cast<T>(value));
  if constexpr (code == Code::kExp) return exponential(a);
  if constexpr (code == Code::kLog) return std::log(a);
  if constexpr (code == Code::kSin) return std::sin(a);
  if constexpr (code == Code::kCos) return std::cos(a);
  if constexpr (code == Code::kTanh) return std::tanh(a);
  if constexpr (code == Code::kSigmoid) return T(1) / (T(1) + exponential(-a));
  if constexpr (code == Code::kSoftplus) return std::max(a, T(0)) + std::log1p(std::exp(-std::abs(a)));
  if constexpr (code == Code::kErf) return std::erf(a);
  if constexpr (code == Code::kFloor) return std::floor(a);
}

// Calls inner(out, a, b, c) at every turn of the outer loops.
template <class T, class Inner>
inline void outer_loops(const Instruction& i, T* const* bases, Inner inner) {
  T* out = bases[i.out.base] + i.out.offset;
  const T *a = bases[i.in[0].base] + i.in[0].offset, *b = bases[i.in[1].base] + i.in[1].offset,
          *c = bases[i.in[2].base] + i.in[2].offset;
  std::array<std::int64_t, ir::kMaxRank> turn{};
  while (true) {
    inner(out, a, b, c);
    int d = i.loops - 2;
    for (; d >= 0; --d) {
      const auto l = static_cast<std::size_t>(d);
      const std::int64_t back = ++turn[l] < i.size[l] ? 0 : i.size[l];
      out += i.out.stride[l] - back * i.out.stride[l];
      a += i.in[0].stride[l] - back * i.in[0].stride[l];
      b += i.in[1].stride[l] - back * i.in[1].stride[l];
      c += i.in[2].stride[l] - back * i.in[2].stride[l];
      if (back == 0) break;
      turn[l] = 0;
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

template <Code code, class T>
void pointwise(const Instruction& i, T* const* bases) {
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

template <class T>
void where(const Instruction& i, T* const* bases) {
  const Inner s = inner_of(i);
  outer_loops(i, bases, [&](T* out, const T* a, const T* b, const T* c) {
    for (std::int64_t k = 0; k < s.n; ++k) out[k * s.out] = a[k * s.a] != 0 ? b[k * s.b] : c[k * s.c];
  });
}

// Sums of a, or of a b.
template <bool dot, class T>
void sum(const Instruction& i, T* const* bases) {
  const Inner s = inner_of(i);
  if (s.out == 0 && s.a == 1 && (!dot || s.b == 1))
    outer_loops(i, bases, [&](T* out, const T* a, const T* b, const T*) {
      T total = 0;
      for (std::int64_t k = 0; k < s.n; ++k) total += dot ? a[k] * b[k] : a[k];
      *out += total;
    });
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

}  // namespace gabbro::exec::torch::GABBRO_STEP_NAMESPACE
