// The job "generate".
#pragma once

#include "record/generate.h"
#include "record/progress.h"

namespace gabbro::trial {

/// Reads the prompt, then samples token after token, each from the state carried so far. `progress` gets the
/// text as it comes, in whole characters. The same spec gives the same text on the same machine. Whatever
/// goes wrong is a result with its cause; ATen's exceptions pass.
record::GenerateResult run(const record::GenerateSpec& spec, const record::OnProgress& progress = {});

}  // namespace gabbro::trial
