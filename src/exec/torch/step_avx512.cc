// The kernels of step_kernel.h for processors with AVX-512. CMakeLists.txt sets the options.
#define GABBRO_KERNEL_NAMESPACE step_avx512
namespace {
constexpr int kBytes = 64;
}
#include "exec/torch/step_body.h"
