// The job "capabilities".
#pragma once

#include <cstdint>
#include <string>

#include "lang/check.h"
#include "record/capability.h"
#include "record/progress.h"
#include "trial/backend.h"

namespace gabbro::trial {

/// Returns the last design of `program` at a tiny size. The repetitions in its stack are reduced so that two
/// blocks are left, or one of each kind if there are several kinds. The width is 64, or the first of 96, 128
/// and 256 for which its sizes are divisible as required. A depth that is a hyperparameter of a unit is kept.
/// Tied embedding tables are untied. Errors: those of the program at the last of these widths; "design" if
/// the program contains no design, or its structure depends on its width.
Result<lang::Subject> tiny_design(const std::string& program, std::int64_t vocab);

/// Trains the tiny design for every task of the spec from a new initialisation. AdamW uses the first of a few
/// learning rates, and the next ones while none has solved the task. The best training is chosen on sequences
/// that serve for nothing else, and scored on fresh ones. The probe runs first. If a task fails, its outcome
/// has a cause, and the next task continues. The results of a task depend only on the design, the spec's seed
/// and its steps. `backend` is torch by default.
record::CapabilityResult run(const record::CapabilitySpec& spec, const record::OnProgress& progress = {},
                             const MakeModel& backend = {});

}  // namespace gabbro::trial
