// The job "bench": how fast a design is on this machine, on random tokens.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

struct BenchSpec {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "bench";
  std::string file;                    // a name for the report
  std::string program;                 // source text; its last design is measured
  std::int64_t params = 0, vocab = 0;  // 0: as written
  std::int64_t sequences = 16, length = 256;
  std::int64_t steps = 8;    // that are measured; 2 before them are not
  std::int64_t decode = 64;  // tokens that are decoded; 0: none
  std::string device = "cpu";
  std::string dtype = "float32";  // as of a trial
  int threads = 2;
};

/// Speeds are medians over steps; what was not measured is 0.
struct BenchResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "bench";
  Status status = Status::kFailed;  // "done", "stopped", "failed"
  std::string cause;
  std::string file, design, hash;  // the canonical hash, after resizing
  std::int64_t width = 0, params = 0, vocab = 0;
  double check_seconds = 0;       // parse, check, prove, resize
  double model_seconds = 0;       // gradient, plan, first weights
  double first_step_seconds = 0;  // the one that also allocates
  double step_seconds = 0, train_tokens_per_second = 0;
  double score_tokens_per_second = 0;   // losses alone
  double decode_tokens_per_second = 0;  // one text in float32, the step form
  double train_flops_per_token = 0,
         score_flops_per_token = 0;  // from the facts, at the length of the sequences
  double train_flops_per_second = 0, score_flops_per_second = 0;  // those facts times the speeds
  double peak_flops_per_second = 0;              // of the machine, a product of large matrices in this dtype
  std::uint64_t idle_bytes = 0, peak_bytes = 0;  // resident: before the model was built, at most until scored
};

std::string to_json(const BenchSpec& spec);
std::string to_json(const BenchResult& result);
/// On one line.
std::string to_line(const BenchResult& result);
/// Errors: as those of a trial; also "spec" for numbers out of range, by name.
Result<BenchSpec> parse_bench_spec(const std::string& json);
Result<BenchResult> parse_bench_result(const std::string& json);

}  // namespace gabbro::record
