#define GABBRO_KERNEL_NAMESPACE pair_avx512
namespace {
constexpr int kBytes = 64;
}
#include "exec/torch/pair_body.h"
