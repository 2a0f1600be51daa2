// What `gabbro train` left in a run's folder, as a model that can be used again.
#pragma once

#include <memory>
#include <string>

#include "data/tokenizer.h"
#include "exec/model.h"
#include "lang/check.h"
#include "record/trial.h"

namespace gabbro::trial {

struct RunFolder {
  record::TrialSpec spec;  // its corpus is the one that was opened
  lang::Subject subject;
  data::Tokenizer tokenizer;
  std::vector<exec::NamedArray> weights;
  std::string weights_hash;  // computed from the weights that were read
  std::string caution;       // why the run's own result says that its scores judge nothing; "": it does not
};

/// Reads spec.json and weights.safetensors of `folder`, and the vocabulary of `corpus` (empty: the run's).
/// Errors: "run" (no run there; not trained to its end; weights of another design or vocabulary, or changed
/// since they were written, or not those of result.json, where there is one), "corpus", "io", "format"
/// (weights cut short), those of the design.
Result<RunFolder> read_run(const std::string& folder, const std::string& corpus);

/// The model with the weights of the run. Errors: "run" when they do not fit, naming the first.
Result<std::unique_ptr<exec::Model>> model_of(const RunFolder& run, const std::string& device, int threads);

}  // namespace gabbro::trial
