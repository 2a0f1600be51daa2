// Scores a model in a benchmark task.
#pragma once

#include <functional>

#include "data/tokenizer.h"
#include "eval/likelihood.h"
#include "eval/task.h"
#include "exec/model.h"
#include "record/eval.h"

namespace gabbro::eval {

/// Scores a task with a model that reads `length` tokens at once. The metrics depend on the kind of task, and
/// each has a standard error:
///   pairs: acc, also by group.
///   word: acc, perplexity.
///   choice: acc, acc_norm (log-likelihood divided by the characters of the choice).
///   context: acc.
///   label: acc, and mcc or f1 if the task asks for them.
/// Tasks with choices also report gold_nats, the mean log-likelihood of the correct choice. If k choices are
/// equally likely, each counts as chosen in 1/k of the item, in all metrics (in lm-evaluation-harness the
/// first of them counts, or the good one of a pair). If there are ties, their share is reported as the metric
/// "ties". The result has no metrics if `progress` returned false. Errors: "eval" (a text without tokens, or
/// a log-likelihood that is not finite).
Result<record::TaskScore> score_task(exec::Model& model, const data::Tokenizer& tokenizer,
                                     const BenchmarkTask& task, std::int64_t length,
                                     const Packing& packing = {},
                                     const std::function<bool(double)>& progress = {});

}  // namespace gabbro::eval
