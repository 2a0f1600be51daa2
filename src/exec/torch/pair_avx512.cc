// The kernels of pair_kernel.h for processors with AVX-512. CMakeLists.txt sets the options.
#define GABBRO_KERNEL_NAMESPACE pair_avx512
namespace {
constexpr int kBytes = 64;
}
#include "exec/torch/pair_body.h"
