// Runs of several designs at several sizes, as `gabbro scale` stores them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"
#include "record/trial.h"

namespace gabbro::record {

/// One finished run, with or without a score.
struct ScaleRun {
  std::int64_t design = 0, size = 0;  // indices in `designs` and `sizes` of the study
  std::uint64_t seed = 0;
  double rate = 0;  // base learning rate
  Status status = Status::kFailed;
  std::string cause;  // as in TrialResult
  double params = 0, tokens = 0;
  double flops = 0;  // FLOPs of the whole training
  double bits = 0;   // held-out bits per byte, if done
  std::vector<DocumentScore> documents;
  std::string text_hash, held_out_hash;  // as in TrialResult
  std::string hash;                      // canonical hash of the design at this size; "": not recorded
  // Bits per byte on training text that the run has not read (record::unread_bits), and its number of tokens.
  // Both are 0 if there is no such text.
  double unread_bits = 0;
  std::int64_t unread_tokens = 0;
  std::string build;  // as in TrialResult
};

struct ScaleStudy {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "scale";
  // Seeds of each design at each size, and the learning rate from which the searches start.
  std::int64_t seeds = 0;
  double rate = 0;
  Status status = Status::kDone;  // "done", or "stopped" if runs are missing
  std::string cause;
  std::vector<std::string> designs, sizes;  // names; amounts as given
  std::string tokens;                       // tokens of a run, as text
  std::string corpus_hash;                  // hash of the texts of all runs
  double changed_share = 0;                 // record::changed_text_note
  std::vector<ScaleRun> searches;           // runs that selected the learning rates; they judge nothing
  std::vector<ScaleRun> runs;
};

std::string to_json(const ScaleStudy& study);
/// Errors: "result", as in record/trial.h.
Result<ScaleStudy> parse_scale(const std::string& json);

}  // namespace gabbro::record
