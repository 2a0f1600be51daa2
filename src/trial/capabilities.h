// The job "capabilities".
#pragma once

#include <cstdint>
#include <string>

#include "lang/check.h"
#include "record/capability.h"
#include "record/progress.h"
#include "trial/backend.h"

namespace gabbro::trial {

/// The last design of `program`, tiny: repetitions in its stack are cut so that two blocks are left (one of
/// each kind where there are several), and the width is 64, or the next of 96, 128 and 256 at which its sizes
/// divide. A depth that is a hyperparameter of a unit stays. Tied tables are untied. Errors: those of the
/// program at the last of these widths.
Result<lang::Subject> tiny_design(const std::string& program, std::int64_t vocab);

/// Trains the tiny design anew for every task of the spec, by AdamW at the first of a few learning rates, and
/// at the next while none has solved the task; chooses the best of them on sequences of their own; scores it
/// on fresh ones. The probe is run first. What goes wrong with a task is its outcome, with a cause, and the
/// next task goes on. A task's numbers depend on the design, the spec's seed and steps alone. `backend`:
/// torch unless given.
record::CapabilityResult run(const record::CapabilitySpec& spec, const record::OnProgress& progress = {},
                             const MakeModel& backend = {});

}  // namespace gabbro::trial
