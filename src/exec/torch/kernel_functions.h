// Elementary functions of float32 without calls, so that loops over them become vectors: polynomials of
// Cephes (Moshier 1989) within a few units of the last place. In the namespace of the file that includes this
// one. Functions of float64 are those of the library.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "exec/torch/step_kernel.h"

namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE {

namespace {

template <class... C>
inline float polynomial(float x, float first, C... rest) {
  float sum = first;
  ((sum = sum * x + rest), ...);
  return sum;
}

// x = n ln 2 + r, a polynomial in r, and n as an exponent: one half added to that of the polynomial, the
// other multiplied, so that results beyond the range become infinite or 0.
inline float exponential(float x) {
  x = x > 90.F ? 90.F : x < -105.F ? -105.F : x;
  const float n = std::floor(x * 1.44269504F + 0.5F);
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  const float p = polynomial(r, 1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F, 4.1665795894e-2F,
                             1.6666665459e-1F, 5.0000001201e-1F);
  const float y = p * r * r + r + 1.F;
  const auto whole = static_cast<std::int32_t>(n), half = whole >> 1;
  const auto scaled = std::bit_cast<float>(std::bit_cast<std::int32_t>(y) + (half << 23));
  return scaled * std::bit_cast<float>((whole - half + 127) << 23);
}

// x = 2^e m with m in [sqrt(1/2), sqrt(2)). Numbers too small for full precision are scaled first.
inline float logarithm(float x) {
  constexpr float kLeast = std::numeric_limits<float>::min(),
                  kInfinity = std::numeric_limits<float>::infinity();
  const bool small = x < kLeast;
  const auto bits = std::bit_cast<std::int32_t>(small ? x * 8388608.F : x);
  float m = std::bit_cast<float>((bits & 0x007fffff) | 0x3f000000);
  const bool low = m < 0.707106781F;
  const auto e = static_cast<float>((bits >> 23) - 126 - (small ? 23 : 0) - (low ? 1 : 0));
  m = (low ? m + m : m) - 1.F;
  const float z = m * m;
  const float p =
      polynomial(m, 7.0376836292e-2F, -1.1514610310e-1F, 1.1676998740e-1F, -1.2420140846e-1F,
                 1.4249322787e-1F, -1.6668057665e-1F, 2.0000714765e-1F, -2.4999993993e-1F, 3.3333331174e-1F);
  const float y = m * z * p - 2.12194440e-4F * e - 0.5F * z;
  const float r = m + y + 0.693359375F * e;
  return x > 0 ? (x < kInfinity ? r : x) : x == 0 ? -kInfinity : std::numeric_limits<float>::quiet_NaN();
}

// log(1 + x) for x >= 0: what rounding 1 + x takes from x is put back.
inline float logarithm_of_1_and(float x) {
  const float u = 1.F + x, d = u - 1.F;
  const float whole = logarithm(u) * (x / (d > 0 ? d : 1.F));
  return d > 0 ? whole : x;
}

inline float hyperbolic_tangent(float x) {
  const float a = std::abs(x), z = x * x;
  const float near = polynomial(z, -5.70498872745e-3F, 2.06390887954e-2F, -5.37397155531e-2F,
                                1.33314422036e-1F, -3.33332819422e-1F) *
                         z * x +
                     x;
  const float far = std::copysign(1.F - 2.F / (exponential(2.F * a) + 1.F), x);
  return a < 0.625F ? near : far;
}

// Beyond 1 by the complement: e^(-x^2) / x times a polynomial in 1 / x^2.
inline float error_function(float x) {
  const float a = std::abs(x), z = x * x;
  const float near = x * polynomial(z, 7.853861353153693e-5F, -8.010193625184903e-4F, 5.188327685732524e-3F,
                                    -2.685381193529856e-2F, 1.128358514861418e-1F, -3.761262582423300e-1F,
                                    1.128379165726710F);
  const float q = 1.F / (a > 1.F ? a : 1.F), y = q * q;
  const float middle = polynomial(y, 2.326819970068386e-2F, -1.387039388740657e-1F, 3.687424674597105e-1F,
                                  -5.824733027278666e-1F, 6.210004621745983e-1F, -4.944515323274145e-1F,
                                  3.404879937665872e-1F, -2.741127028184656e-1F, 5.638259427386472e-1F);
  const float outer =
      polynomial(y, -1.047766399936249e+1F, 1.297719955372516e+1F, -7.495518717768503F, 2.921019019210786F,
                 -1.015265279202700F, 4.218463358204948e-1F, -2.820767439740514e-1F, 5.641895067754075e-1F);
  const float far = std::copysign(1.F - exponential(-z) * q * (a < 2.F ? middle : outer), x);
  return a < 1.F ? near : far;
}

inline double exponential(double x) { return std::exp(x); }
inline double logarithm(double x) { return std::log(x); }
inline double logarithm_of_1_and(double x) { return std::log1p(x); }
inline double hyperbolic_tangent(double x) { return std::tanh(x); }
inline double error_function(double x) { return std::erf(x); }

}  // namespace

}  // namespace gabbro::exec::torch::GABBRO_KERNEL_NAMESPACE
