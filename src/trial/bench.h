// The job "bench".
#pragma once

#include "record/bench.h"
#include "record/progress.h"

namespace gabbro::trial {

/// Checks, resizes and builds the last design of the spec's program, then times training, scoring and
/// decoding on random tokens, with a few documents in each row. The machine's peak is measured afterwards,
/// except in float64. Every error becomes a result with its cause, except that exceptions from ATen
/// propagate.
record::BenchResult run(const record::BenchSpec& spec, const record::OnProgress& progress = {});

}  // namespace gabbro::trial
