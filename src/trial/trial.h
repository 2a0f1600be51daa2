// The one path that a candidate takes from text to score.
#pragma once

#include "record/progress.h"
#include "record/trial.h"
#include "trial/backend.h"

namespace gabbro::trial {

using record::OnProgress;
using record::Progress;

/// Checks the design, probes it (probe.h), resizes it, trains it on the corpus, scores the trained weights on
/// held-out documents, and holds the anchors of docs/verdict.md against the result. Never throws: whatever
/// goes wrong is a result with its cause. Goes on from the checkpoint in the run's folder when there is one;
/// leaves weights.safetensors and curve.jsonl there. `backend`: the torch backend as the spec says, when none
/// is given.
record::TrialResult run(const record::TrialSpec& spec, const OnProgress& progress = {},
                        const MakeModel& backend = {});

}  // namespace gabbro::trial
