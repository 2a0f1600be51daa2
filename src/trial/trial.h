// The one path that a candidate takes from text to score.
#pragma once

#include <functional>

#include "record/trial.h"

namespace gabbro::trial {

/// Where a trial is; false stops it.
struct Progress {
  std::string stage;  // "training", "scoring"
  std::int64_t step = 0, steps = 0, tokens = 0;
  double loss = 0, tokens_per_second = 0, share = 0;
};
using OnProgress = std::function<bool(const Progress&)>;

/// Checks the design, resizes it, trains it on the corpus, scores the trained weights on held-out documents, and holds the anchors of
/// docs/verdict.md against the result. Never throws: whatever goes wrong is a result with its cause. Goes on from the checkpoint in
/// the run's folder when there is one; leaves weights.safetensors and curve.jsonl there.
record::TrialResult run(const record::TrialSpec& spec, const OnProgress& progress = {});

}  // namespace gabbro::trial
