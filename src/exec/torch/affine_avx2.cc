// The kernels of affine_kernel.h for processors with AVX2 and FMA. CMakeLists.txt sets the options.
#define GABBRO_KERNEL_NAMESPACE affine_avx2
namespace {
constexpr int kBytes = 32;
}
#include "exec/torch/affine_body.h"
