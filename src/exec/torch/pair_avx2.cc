// The kernels of pair_kernel.h for processors with AVX2 and FMA. CMakeLists.txt sets the options.
#define GABBRO_KERNEL_NAMESPACE pair_avx2
namespace {
constexpr int kBytes = 32;
}
#include "exec/torch/pair_body.h"
