#define GABBRO_KERNEL_NAMESPACE affine_avx2
namespace {
constexpr int kBytes = 32;
}
#include "exec/torch/affine_body.h"
