// The kernels of pair_kernel.h for all other processors. CMakeLists.txt sets the options.
#define GABBRO_KERNEL_NAMESPACE pair_plain
namespace {
constexpr int kBytes = 16;
}
#include "exec/torch/pair_body.h"
