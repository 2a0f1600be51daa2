// Anchors: sanity checks that a result must pass before it counts.
#pragma once

#include <string>
#include <vector>

#include "exec/model.h"
#include "ir/graph.h"
#include "record/trial.h"
#include "trial/backend.h"
#include "trial/rescoring.h"

namespace gabbro::trial {

/// The inputs of the anchors, after training and scoring.
struct Evidence {
  const record::TrialSpec& spec;
  const record::TrialResult& result;
  const ir::Graph& graph;
  const std::vector<ir::NodeId>& outputs;
  exec::Model& model;  // the model that was scored
  int vocab = 0;
  exec::TokenBatch sample, other;  // two batches of text of the run
  exec::TokenBatch scored;  // windows of held-out documents as they are scored, in that shape; may be empty
  std::string text_hash;    // hash of the corpus text of the run's batches, read again after the run
  Rescoring rescoring;
};

/// Checks each anchor and reports its numbers (docs/verdict.md explains the limits):
/// - The first loss is that of a uniform distribution.
/// - No loss or gradient is infinite or NaN.
/// - The token budget was consumed, by the trainer's count and by the count of the optimizer's updates.
/// - The text that was consumed is what the corpus holds, and is the same as in the paired run.
/// - Held-out text is predicted better than by a bigram model of the same text.
/// - The scored weights are the trained ones.
/// - The backend gives the same losses as the reference engine for these weights.
/// - The gradient of a row is that of the CPU engine in float64 (trial/gradient_check.h).
/// - A position's loss does not depend on anything that the position does not see ("future", "documents",
///   "batch", "place").
/// - Decoding in the backend gives the same losses as its parallel form.
///
/// The model is left unchanged.
std::vector<record::Anchor> anchors(const Evidence& e);

/// Checks a model of `graph` before training, at its trained width and length. Its embedding tables are
/// untied, its weights are random, and the embeddings of some tokens are infinite, NaN, or so large or small
/// that they overflow or underflow. The anchor holds if none of these values reaches a position that does not
/// see it: the later positions of a text that is cut at every position (at random ones where this would take
/// long in relation to the training), the other documents of a row, and the other rows.
record::Anchor unseen_values(const ir::Graph& graph, const MakeModel& make, const record::TrialSpec& spec,
                             const exec::TokenBatch& sample, const exec::TokenBatch& other);

}  // namespace gabbro::trial
