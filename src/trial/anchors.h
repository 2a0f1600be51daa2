// Reasons to refuse a result.
#pragma once

#include <string>
#include <vector>

#include "exec/model.h"
#include "ir/graph.h"
#include "record/trial.h"
#include "trial/backend.h"

namespace gabbro::trial {

/// What the anchors look at, after training and scoring.
struct Evidence {
  const record::TrialSpec& spec;
  const record::TrialResult& result;
  const ir::Graph& graph;
  const std::vector<ir::NodeId>& outputs;
  exec::Model& model;  // as it was scored
  int vocab = 0;
  exec::TokenBatch sample, other;  // some text of the run, in two batches
  std::string text_hash;           // what the corpus gives for the run's batches, read again after it
};

/// Each anchor with its numbers (docs/verdict.md says why they are these): the first loss is that of equal
/// probabilities; nothing is not finite; the budget was consumed, by the trainer's count and by that of the
/// updates; the text consumed is what the corpus holds, and that of the pair; held-out text is predicted
/// better than by a bigram model of the same text; the scored weights are the trained ones; the backend gives
/// the losses that the reference engine gives for them; nothing that a position does not see matters to its
/// loss
/// ("future", "documents", "batch", "place"); decoding in the backend gives what its parallel form gives. The
/// model is left as it was.
std::vector<record::Anchor> anchors(const Evidence& e);

/// Before training, at its width and length: a model of `graph` (its tables untied) with random weights, and
/// tokens whose values are infinite, NaN, overflow or vanish. Holds when none of it reaches a position that
/// does not see it.
record::Anchor unseen_values(const ir::Graph& graph, const MakeModel& make, const exec::TokenBatch& sample,
                             const exec::TokenBatch& other, std::uint64_t seed);

}  // namespace gabbro::trial
