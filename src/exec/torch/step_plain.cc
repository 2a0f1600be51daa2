#define GABBRO_STEP_NAMESPACE step_plain
#include "exec/torch/step_body.h"
