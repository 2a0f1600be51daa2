// Reasons to refuse a result.
#pragma once

#include <string>
#include <vector>

#include "exec/model.h"
#include "ir/graph.h"
#include "record/trial.h"

namespace gabbro::trial {

/// What the anchors look at, after training and scoring.
struct Evidence {
  const record::TrialSpec& spec;
  const record::TrialResult& result;
  const ir::Graph& graph;
  const std::vector<ir::NodeId>& outputs;
  exec::Model& model;  // as it was scored
  int vocab = 0;
  exec::TokenBatch sample;  // some text of the run
  std::string text_hash;    // what the corpus gives for the run's batches, read again after it
};

/// Each anchor with its numbers (docs/verdict.md says why they are these): the first loss is that of equal probabilities; nothing is not
/// finite; the budget was consumed, by the trainer's count and by that of the updates; the text consumed is what the corpus holds, and that of the
/// pair; held-out text is predicted better than by a bigram model of the same text; the scored weights are the trained
/// ones; the backend gives the losses that the reference engine gives for them; decoding step by step gives what the parallel form gives.
std::vector<record::Anchor> anchors(const Evidence& e);

}  // namespace gabbro::trial
