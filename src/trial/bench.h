// The job "bench".
#pragma once

#include "record/bench.h"
#include "record/progress.h"

namespace gabbro::trial {

/// Checks, resizes and builds the last design of the spec's program, then trains, scores and decodes random
/// tokens with a few documents in each row. The machine's peak is measured after it, and on the CPU only.
/// Whatever goes wrong is a result with its cause; ATen's exceptions pass.
record::BenchResult run(const record::BenchSpec& spec, const record::OnProgress& progress = {});

}  // namespace gabbro::trial
