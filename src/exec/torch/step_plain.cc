#define GABBRO_KERNEL_NAMESPACE step_plain
#include "exec/torch/step_body.h"
