#include "trial/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "data/corpus.h"
#include "data/heads.h"
#include "data/text_bytes.h"
#include "eval/benchmark.h"
#include "eval/bits.h"
#include "train/safetensors.h"
#include "trial/run_folder.h"

namespace gabbro::trial {

using record::EvalResult;
using record::EvalSpec;
using record::OnProgress;

Result<Tasks> read_tasks(const std::vector<std::string>& sources, std::uint64_t limit) {
  Tasks out;
  for (const std::string& text : sources) {
    out.sources.push_back(eval::parse_source(text));
    GABBRO_TRY(task, eval::read_task(out.sources.back(), limit));
    out.read.push_back(std::move(task));
  }
  return out;
}

Result<std::vector<record::TaskScore>> score_tasks(exec::Model& model, const data::Tokenizer& tokenizer,
                                                   const Tasks& tasks, std::int64_t length,
                                                   const eval::Packing& packing, const OnProgress& progress) {
  std::vector<record::TaskScore> out;
  for (std::size_t i = 0; i < tasks.read.size(); ++i) {
    GABBRO_TRY(score, eval::score_task(model, tokenizer, tasks.read[i], length, packing, [&](double share) {
                 return !progress || progress({.stage = "scoring " + tasks.read[i].name, .share = share});
               }));
    if (score.metrics.empty()) break;
    score.file = tasks.sources[i].file;
    out.push_back(std::move(score));
  }
  return out;
}

namespace {

// Returns false if the job was stopped.
Result<bool> score_held_out(const EvalSpec& spec, const RunFolder& run, exec::Model& model,
                            EvalResult& result, const OnProgress& progress) {
  GABBRO_TRY(corpus, data::Corpus::open(run.spec.corpus));
  GABBRO_TRY(split, corpus.split("valid"));
  const auto documents = spec.whole                 ? 0
                         : spec.valid_documents > 0 ? spec.valid_documents
                                                    : run.spec.valid_documents;
  if (!spec.whole)
    result.document_tokens = spec.document_tokens > 0 ? spec.document_tokens : run.spec.document_tokens;
  if (const auto ok = data::check_bytes(split, run.tokenizer, documents); !ok) return ok;
  if (result.document_tokens > 0)
    split.restrict_to(data::heads(split, run.tokenizer, documents, result.document_tokens));
  bool going = true;
  const eval::BitsPerByte bits = eval::bits_per_byte(
      model, split, run.tokenizer.end(), std::max<std::int64_t>(1, spec.batch / result.length), result.length,
      documents, [&](double share) {
        going = !progress || progress({.stage = "scoring held-out text", .share = share});
        return going;
      });
  if (!going) return false;
  if (!std::isfinite(bits.value) || bits.documents == 0)
    return fail("eval", fmt::format("{} bits per byte over {} documents: these weights cannot be scored",
                                    bits.value, bits.documents));
  set_bits(result, bits, split);
  return true;
}

Result<EvalResult> run_checked(const EvalSpec& spec, const OnProgress& progress,
                               exec::pytorch::Python* python) {
  GABBRO_TRY(tasks, read_tasks(spec.tasks, spec.limit));  // before any long work
  GABBRO_TRY(run, read_run(spec.run, spec.corpus));
  GABBRO_TRY(model, model_of(run, spec.threads, spec.engine == record::Engine::kPyTorch ? python : nullptr));
  EvalResult result;
  result.engine = model->description();
  result.caution = run.caution;
  result.design = run.subject.name;
  result.hash = to_hex(run.subject.hash);
  result.params = ir::count_params(run.subject.elaboration.graph);
  result.length = spec.length > 0 ? spec.length : run.spec.length;
  result.weights_hash = train::hash_arrays(model->weights());
  result.corpus = run.spec.corpus;
  if (result.weights_hash != run.weights_hash)
    return fail("run", "the model does not hold the weights that were read");
  result.status = record::Status::kStopped;
  if (spec.held_out) {
    GABBRO_TRY(complete, score_held_out(spec, run, *model, result, progress));
    if (!complete) return result;
  }
  GABBRO_TRY(scores,
             score_tasks(*model, run.tokenizer, tasks, result.length, {.tokens = spec.batch}, progress));
  result.tasks = std::move(scores);
  for (const record::TaskScore& task : result.tasks)
    for (const record::Metric& m : task.metrics)
      if (!std::isfinite(m.value))
        return fail("eval",
                    fmt::format("{}: {} is {}: these weights cannot be scored", task.name, m.name, m.value));
  if (result.tasks.size() == spec.tasks.size()) result.status = record::Status::kDone;
  return result;
}

}  // namespace

EvalResult run(const EvalSpec& spec, const OnProgress& progress, exec::pytorch::Python* python) {
  const double start = seconds_now();
  EvalResult out;
  if (auto result = run_checked(spec, progress, python))
    out = std::move(*result);
  else
    out.cause = format_error("eval", result.error());
  out.seconds = seconds_now() - start;
  return out;
}

}  // namespace gabbro::trial
