// A trial: the single path of a candidate from program text to score.
#pragma once

#include "record/progress.h"
#include "record/trial.h"
#include "trial/backend.h"

namespace gabbro::trial {

using record::OnProgress;
using record::Progress;

/// Checks the design, probes it (probe.h), resizes it, trains it on the corpus, scores the trained weights on
/// held-out documents, and checks the anchors of docs/verdict.md. Never throws: every error becomes a result
/// with its cause. Continues from the checkpoint in the run's folder if there is one. Leaves
/// weights.safetensors and curve.jsonl in the folder. `backend` defaults to the torch backend with the
/// options of the spec, or to the PyTorch backend in `python` if its engine is "pytorch".
record::TrialResult run(const record::TrialSpec& spec, const OnProgress& progress = {},
                        const MakeModel& backend = {}, exec::pytorch::Python* python = nullptr);

}  // namespace gabbro::trial
