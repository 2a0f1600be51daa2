// Reads the folder of a run of `gabbro train` as a model that can be used again.
#pragma once

#include <memory>
#include <string>

#include "data/tokenizer.h"
#include "exec/model.h"
#include "exec/pytorch/python.h"
#include "lang/check.h"
#include "record/trial.h"

namespace gabbro::trial {

struct RunFolder {
  record::TrialSpec spec;  // its `corpus` is the one that was opened
  lang::Subject subject;
  data::Tokenizer tokenizer;
  std::vector<exec::NamedArray> weights;
  std::string weights_hash;  // computed from the weights that were read
  std::string caution;       // reason why the scores of the run do not count; "" if they do
};

/// Reads spec.json and weights.safetensors of `folder`, and the vocabulary of `corpus` (empty: the run's
/// corpus). Errors: "run" (the folder holds no run; the run did not finish training; the weights belong to
/// another design or vocabulary, were changed since they were written, or do not match result.json, if it
/// exists), "corpus", "io", "format" (truncated weights), and those of the design.
Result<RunFolder> read_run(const std::string& folder, const std::string& corpus);

/// Makes a model with the weights of the run in the torch backend, or in the PyTorch backend if `python` is
/// not null. Errors: "run" if they do not fit; those of pytorch_backend.
Result<std::unique_ptr<exec::Model>> model_of(const RunFolder& run, int threads,
                                              exec::pytorch::Python* python = nullptr);

}  // namespace gabbro::trial
