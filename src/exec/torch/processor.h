// The kernels that this processor is best at.
#pragma once

#include <cstdlib>
#include <string_view>

namespace gabbro::exec::torch {

/// GABBRO_KERNELS=plain or avx2 keeps from the better ones, for tests of what other processors run.
inline bool may_run(std::string_view family) {
  const char* const most = std::getenv("GABBRO_KERNELS");
  return !most || (std::string_view(most) == "avx2" && family == "avx2") ||
         std::string_view(most) == "avx512";
}

/// Calls FAMILY_avx512::KERNEL, FAMILY_avx2::KERNEL or FAMILY_plain::KERNEL.
#if defined(__x86_64__)
inline const bool kAvx512 = may_run("avx512") && __builtin_cpu_supports("avx512f") &&
                            __builtin_cpu_supports("avx512dq"),
                  kAvx2 = may_run("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#define GABBRO_BEST(FAMILY, KERNEL, ...)                                 \
  (::gabbro::exec::torch::kAvx512 ? FAMILY##_avx512::KERNEL(__VA_ARGS__) \
   : ::gabbro::exec::torch::kAvx2 ? FAMILY##_avx2::KERNEL(__VA_ARGS__)   \
                                  : FAMILY##_plain::KERNEL(__VA_ARGS__))
#else
#define GABBRO_BEST(FAMILY, KERNEL, ...) FAMILY##_plain::KERNEL(__VA_ARGS__)
#endif

}  // namespace gabbro::exec::torch
