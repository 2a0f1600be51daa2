// The job "bench": measures the speed of a design on this machine, on random tokens.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

struct BenchSpec {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "bench";
  std::string file;                           // file of `program` as given by the user, for messages
  std::string program;                        // source text; its last design is measured
  std::int64_t params = 0, vocab = 0;         // 0: as written
  std::int64_t sequences = 16, length = 256;  // batch size, and tokens of a sequence
  std::int64_t steps = 8;  // timed training steps and scorings; before them 2 steps and 1 scoring are untimed
  std::int64_t decode = 64;  // number of tokens to decode; 0: none
  Dtype dtype = Dtype::kFloat32;
  int threads = 2;
};

/// Speeds are medians over steps. Values that were not measured are 0.
struct BenchResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "bench";
  Status status = Status::kFailed;  // "done", "stopped", "failed"
  std::string cause;
  std::string file, design, hash;  // `hash` is the canonical hash after resizing
  std::int64_t width = 0, params = 0, vocab = 0;
  double check_seconds = 0;       // parse, check, prove and resize
  double model_seconds = 0;       // gradient, plan and initialisation
  double first_step_seconds = 0;  // the step that also allocates
  double step_seconds = 0, train_tokens_per_second = 0;
  double score_tokens_per_second = 0;   // losses only
  double decode_tokens_per_second = 0;  // one text in float32, token by token as in `gabbro generate`
  // Predicted from the program, at this batch size and length (ir::token_costs).
  double train_flops_per_token = 0, score_flops_per_token = 0;
  double train_flops_per_second = 0, score_flops_per_second = 0;  // the predictions times the speeds
  // Peak of the machine: a product of large matrices in this dtype.
  double peak_flops_per_second = 0;
  // Maximum resident bytes: until the model was built, and until scoring ended.
  std::uint64_t idle_bytes = 0, peak_bytes = 0;
};

std::string to_json(const BenchSpec& spec);
std::string to_json(const BenchResult& result);
/// Returns the result as JSON on one line.
std::string to_line(const BenchResult& result);
/// Errors: as in record/trial.h; also "spec", with the name, for numbers out of range.
Result<BenchSpec> parse_bench_spec(const std::string& json);
Result<BenchResult> parse_bench_result(const std::string& json);

}  // namespace gabbro::record
