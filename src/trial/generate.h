// The job "generate".
#pragma once

#include "record/generate.h"
#include "record/progress.h"

namespace gabbro::trial {

/// Reads the prompt, then samples tokens one by one, carrying the decoding state along. `progress` receives
/// the new text in whole characters. The same spec gives the same text on the same machine. Every error
/// becomes a result with its cause, except that exceptions from ATen propagate.
record::GenerateResult run(const record::GenerateSpec& spec, const record::OnProgress& progress = {});

}  // namespace gabbro::trial
