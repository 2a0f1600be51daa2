#define GABBRO_KERNEL_NAMESPACE step_avx2
#include "exec/torch/step_body.h"
