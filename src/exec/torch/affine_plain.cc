// The kernels of affine_kernel.h for all other processors. CMakeLists.txt sets the options.
#define GABBRO_KERNEL_NAMESPACE affine_plain
namespace {
constexpr int kBytes = 16;
}
#include "exec/torch/affine_body.h"
