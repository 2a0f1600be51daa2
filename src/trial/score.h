// Scores of trained weights, for the job "eval" and for the benchmarks of the job "train".
#pragma once

#include <fmt/format.h>

#include <vector>

#include "data/corpus.h"
#include "data/tokenizer.h"
#include "eval/benchmark.h"
#include "eval/bits.h"
#include "eval/likelihood.h"
#include "exec/model.h"
#include "exec/pytorch/python.h"
#include "record/eval.h"
#include "record/progress.h"

namespace gabbro::trial {

/// Benchmark tasks, with the files that they were read from.
struct Tasks {
  std::vector<eval::TaskSource> sources;
  std::vector<eval::BenchmarkTask> read;  // one task for each source
};

/// Reads tasks from sources of the form "FILE" or "NAME=FILE", at most `limit` items of each (0: all).
/// Errors: those of eval/task.h and eval/benchmark.h.
Result<Tasks> read_tasks(const std::vector<std::string>& sources, std::uint64_t limit);

/// Copies the score on held-out text into the fields that results of training and of scoring share.
template <class R>
void set_bits(R& result, const eval::BitsPerByte& bits, const data::Split& held_out) {
  result.changed_share = held_out.changed_share();
  result.bits_per_byte = bits.value;
  result.bits_low = bits.low;
  result.bits_high = bits.high;
  result.bits_error = bits.error;
  result.valid_loss = bits.nats_per_token;
  result.valid_documents = bits.documents;
  result.valid_bytes = bits.bytes;
  result.held_out_hash = fmt::format("{:016x}", bits.text);
}

/// Returns one score per task, in order; fewer if `progress` asked to stop. The model reads at most `length`
/// tokens at once. Errors: those of eval/benchmark.h.
Result<std::vector<record::TaskScore>> score_tasks(exec::Model& model, const data::Tokenizer& tokenizer,
                                                   const Tasks& tasks, std::int64_t length,
                                                   const eval::Packing& packing,
                                                   const record::OnProgress& progress);

/// Reads the run and scores its weights. Every error becomes a result with its cause, except that exceptions
/// from ATen propagate. `python` must not be null if the engine is "pytorch".
record::EvalResult run(const record::EvalSpec& spec, const record::OnProgress& progress = {},
                       exec::pytorch::Python* python = nullptr);

}  // namespace gabbro::trial
