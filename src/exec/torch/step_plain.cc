// The kernels of step_kernel.h for all other processors. CMakeLists.txt sets the options.
#define GABBRO_KERNEL_NAMESPACE step_plain
namespace {
constexpr int kBytes = 16;
}
#include "exec/torch/step_body.h"
