// The job "eval": scores the weights of a run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

/// A metric of a benchmark task with its standard error (NaN: none). `group` is empty for the whole task, or
/// names a part of it, such as "term: island_effects".
struct Metric {
  std::string name, group;
  double value = 0, error = 0;
  std::uint64_t items = 0;
};

/// Counts of the lines of a task's file that were left out, and of unusual items that were scored.
struct ItemCounts {
  std::uint64_t training = 0;  // left out, since they are of a training split
  std::uint64_t single = 0;    // left out, since they have no two different choices
  std::uint64_t equal = 0;     // scored; some of their choices are equal, and count as one choice
  std::uint64_t repeated = 0;  // scored again, although the same item occurs earlier in the file
  std::uint64_t spaced = 0;    // scored; a choice begins with a space, and gets another one
};

/// The score of a run on a benchmark task. `kind` is the format of the task (eval/task.h).
struct TaskScore {
  std::string name, kind, file;
  std::uint64_t items = 0;  // items that were scored
  ItemCounts counts;
  std::uint64_t truncated = 0;  // texts whose context lost its beginning, since the model reads fewer tokens
  std::uint64_t windowed = 0;  // texts whose answer is longer than the model reads, scored in several windows
  double seconds = 0;
  std::vector<Metric> metrics;
};

struct EvalSpec {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "eval";
  std::string run;       // folder of a run
  std::string corpus;    // empty: the run's corpus
  bool held_out = true;  // compute bits per byte on held-out documents
  bool whole = false;    // score whole documents; otherwise as many tokens as `document_tokens` says
  std::uint64_t valid_documents = 0;  // 0: as many as the run was scored on
  std::uint64_t document_tokens = 0;  // leading tokens of each document; 0: as the run was scored
  std::vector<std::string> tasks;     // "FILE" or "NAME=FILE"
  std::uint64_t limit = 0;            // maximum number of items of a task; 0: all
  std::int64_t length = 0;            // maximum context in tokens; 0: as in training
  std::int64_t batch = 8192;          // tokens per batch
  Engine engine = Engine::kCpu;
  std::string device = "cpu";
  int threads = 2;
};

struct EvalResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "eval";
  Status status = Status::kFailed;  // "done", "stopped", "failed"
  std::string cause;
  // Reason why these scores are not valid as a verdict, according to the run's own result; "" if there is
  // none.
  std::string caution;
  std::string design, hash;
  std::int64_t params = 0, length = 0;
  std::string weights_hash;  // computed from the weights that were scored
  std::string corpus;
  // Held-out bits per byte, with the 95 % interval and the standard error; 0: not requested.
  double bits_per_byte = 0, bits_low = 0, bits_high = 0, bits_error = 0;
  double valid_loss = 0;  // nats per token
  std::uint64_t valid_documents = 0, valid_bytes = 0;
  double changed_share = 0;           // changed_text_note
  std::uint64_t document_tokens = 0;  // maximum number of tokens read of each document; 0: all
  std::string held_out_hash;          // as in TrialResult
  std::vector<TaskScore> tasks;
  double seconds = 0;
  std::string engine;  // as in TrialResult
};

/// Returns why these cannot be the scores of the benchmarks that were requested ("FILE" or "NAME=FILE"), in
/// that order; "": they can.
std::string misfit(const std::vector<std::string>& requested, const std::vector<TaskScore>& scores);
/// Returns why a worker's result cannot be one of this job; "": it can.
std::string misfit(const EvalSpec& spec, const EvalResult& result);

std::string to_json(const EvalSpec& spec);
std::string to_json(const EvalResult& result);
/// Errors: as in record/trial.h.
Result<EvalSpec> parse_eval_spec(const std::string& json);
Result<EvalResult> parse_eval_result(const std::string& json);

}  // namespace gabbro::record
