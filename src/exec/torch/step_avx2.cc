#define GABBRO_STEP_NAMESPACE step_avx2
#include "exec/torch/step_body.h"
