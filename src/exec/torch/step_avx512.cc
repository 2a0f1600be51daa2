#define GABBRO_STEP_NAMESPACE step_avx512
#include "exec/torch/step_body.h"
