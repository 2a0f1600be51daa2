#define GABBRO_KERNEL_NAMESPACE step_plain
namespace {
constexpr int kBytes = 16;
}
#include "exec/torch/step_body.h"
