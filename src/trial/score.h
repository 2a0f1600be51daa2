// Scores of trained weights: the job "eval", and the benchmarks of "train".
#pragma once

#include <vector>

#include "data/tokenizer.h"
#include "eval/bits.h"
#include "eval/likelihood.h"
#include "exec/model.h"
#include "record/eval.h"
#include "record/progress.h"

namespace gabbro::trial {

struct Tasks {
  std::vector<std::string> sources;  // "FILE" or "NAME=FILE"
  std::uint64_t limit = 0;           // items of each; 0: all
  std::int64_t length = 0;           // tokens that the model reads at most
  eval::Packing packing;
};

/// What a result says of held-out text, in the fields that results of training and of scoring share.
template <class R>
void set_bits(R& result, const eval::BitsPerByte& bits) {
  result.bits_per_byte = bits.value;
  result.bits_low = bits.low;
  result.bits_high = bits.high;
  result.bits_error = bits.error;
  result.valid_loss = bits.nats_per_token;
  result.valid_documents = bits.documents;
  result.valid_bytes = bits.bytes;
}

/// One score per task, in order; fewer when `progress` stopped. All files are read before the first is scored. Errors: those of eval/task.h and
/// eval/benchmark.h.
Result<std::vector<record::TaskScore>> score_tasks(exec::Model& model, const data::Tokenizer& tokenizer,
                                                   const Tasks& tasks, const record::OnProgress& progress);

/// Reads the run, scores its weights. Whatever goes wrong is a result with its cause; ATen's exceptions pass.
record::EvalResult run(const record::EvalSpec& spec, const record::OnProgress& progress = {});

}  // namespace gabbro::trial
