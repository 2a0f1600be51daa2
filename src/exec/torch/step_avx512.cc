#define GABBRO_KERNEL_NAMESPACE step_avx512
#include "exec/torch/step_body.h"
