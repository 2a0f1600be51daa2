// The job "generate": continues a text with the weights of a run.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

struct GenerateSpec {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "generate";
  std::string run;     // folder of a run
  std::string corpus;  // empty: the run's corpus
  std::string prompt;
  std::int64_t tokens = 200;  // maximum number of tokens
  double temperature = 0.8;   // 0: the most likely token
  std::int64_t top_k = 0;     // 0: all tokens
  double top_p = 1;           // share of probability to choose from; 1: all tokens
  std::uint64_t seed = 1;
  int threads = 1;
};

struct GenerateResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "generate";
  Status status = Status::kFailed;  // "done", "stopped" (with the text so far), "failed"
  std::string cause;
  std::string text;                            // without the prompt
  bool ended = false;                          // The text ended by the end-of-text token.
  std::int64_t prompt_tokens = 0, tokens = 0;  // tokens of the prompt, and generated ones
  double seconds = 0, tokens_per_second = 0;   // of decoding, including the prompt
  std::string weights_hash;
};

std::string to_json(const GenerateSpec& spec);
std::string to_json(const GenerateResult& result);
/// Errors: as in record/trial.h.
Result<GenerateSpec> parse_generate_spec(const std::string& json);
Result<GenerateResult> parse_generate_result(const std::string& json);

}  // namespace gabbro::record
