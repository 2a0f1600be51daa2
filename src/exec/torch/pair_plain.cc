#define GABBRO_KERNEL_NAMESPACE pair_plain
namespace {
constexpr int kBytes = 16;
}
#include "exec/torch/pair_body.h"
