// The kernels of step_kernel.h for processors with AVX2 and FMA. CMakeLists.txt sets the options.
#define GABBRO_KERNEL_NAMESPACE step_avx2
namespace {
constexpr int kBytes = 32;
}
#include "exec/torch/step_body.h"
