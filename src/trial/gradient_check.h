// The anchor that compares gradients of the trained weights with those of the CPU engine.
#pragma once

#include "exec/model.h"
#include "ir/graph.h"
#include "record/anchor.h"
#include "record/trial.h"

namespace gabbro::trial {

/// Returns a batch of one row of `batch`.
exec::TokenBatch row_of(const exec::TokenBatch& batch, std::int64_t row);

/// Compares the gradient of `model` with that of the CPU engine in float64, parameter by parameter, for the
/// mean loss of row `row` of `batch`. The model computes it as in training: a step on the whole batch, with
/// the other rows not scored. The anchor "gradient" holds if the difference has at most 1 % of the norm, for
/// the whole gradient and for that of each parameter (apart from 0.1 % of the norm of the whole). In bf16 it
/// is 30 %, or eight times what rounding the weights changes, at most the norm of the whole (apart from 3 %
/// of it). A difference is infinite where one of the gradients is not finite. `recomputes`: the float64 model
/// computes activations anew instead of keeping them, as `model` does. Where memory does not suffice, the
/// anchor holds and says so: a wrong gradient harms only its own design. The model is left unchanged.
///
/// Cost: a step of the model, and one or two steps of one row in float64.
record::Anchor gradient_agrees(const ir::Graph& graph, exec::Model& model, const exec::TokenBatch& batch,
                               std::int64_t row, const record::TrialSpec& spec, bool recomputes);

}  // namespace gabbro::trial
