#define GABBRO_KERNEL_NAMESPACE pair_avx2
namespace {
constexpr int kBytes = 32;
}
#include "exec/torch/pair_body.h"
