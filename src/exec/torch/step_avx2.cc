#define GABBRO_KERNEL_NAMESPACE step_avx2
namespace {
constexpr int kBytes = 32;
}
#include "exec/torch/step_body.h"
