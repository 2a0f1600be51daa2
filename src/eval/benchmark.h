// The score of a model in a benchmark task.
#pragma once

#include <functional>

#include "data/tokenizer.h"
#include "eval/likelihood.h"
#include "eval/task.h"
#include "exec/model.h"
#include "record/eval.h"

namespace gabbro::eval {

/// The metrics by kind of task, each with its standard error:
///   pairs: acc, and in groups.
///   word: acc, perplexity.
///   choice: acc, acc_norm (log-likelihood over characters of the choice).
///   context: acc.   label: acc, mcc or f1 where the task asks for them.
/// Tasks with choices also give gold_nats, the mean log-likelihood of the right one. Where the right choice
/// is one of k that are equally likely, it counts 1/k (lm-evaluation-harness: the first of them counts, or,
/// of pairs, the good one); ties, where there are any, is their share. The result is empty (no metrics) when
/// `progress` returned false. Errors: "eval" (a text without tokens; log-likelihoods that are no finite
/// numbers).
Result<record::TaskScore> score_task(exec::Model& model, const data::Tokenizer& tokenizer, const Task& task,
                                     std::int64_t length, const Packing& packing = {},
                                     const std::function<bool(double)>& progress = {});

}  // namespace gabbro::eval
