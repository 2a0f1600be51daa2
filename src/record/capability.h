// The job "capabilities": measures what a design learns on synthetic tasks (capability/task.h), at tiny size,
// in seconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

struct CapabilitySpec {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "capabilities";
  std::string file;                // name for the report
  std::string program;             // source text; its last design is trained
  std::vector<std::string> tasks;  // task names; none: all tasks
  std::uint64_t seed = 1;
  // Maximum number of steps of a training; it ends earlier once it has solved its task.
  std::int64_t steps = 600;
  int threads = 1;
  std::int64_t memory = 0;  // bytes that the worker may hold; 0: all that the machine has left
};

/// The score of a design on one task at one length, on sequences that neither training nor the selection of
/// the learning rate used.
struct CapabilityScore {
  std::string task;
  std::int64_t length = 0;  // tokens of a sequence
  double accuracy = 0;      // share of correct answers
  double error = 0;         // standard error of `accuracy` over sequences
  double chance = 0;        // accuracy of guessing
  std::int64_t asked = 0;   // number of answers
};

/// The result of one task: the training whose answers are scored, and the effort to find it.
struct CapabilityTask {
  std::string task;
  CapabilityOutcome outcome = CapabilityOutcome::kFailed;
  std::string cause;                             // empty if done
  std::int64_t params = 0;                       // includes the vocabulary of the task
  double rate = 0;                               // the best learning rate, at fan-in 256
  double loss = 0;                               // mean loss of the last steps, nats per answer
  std::int64_t runs = 0, steps = 0, tokens = 0;  // of all trainings of this task
  double seconds = 0;
  std::vector<CapabilityScore> scores;  // the first is at the training length
};

struct CapabilityResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "capabilities";
  // "done": every task has an outcome; "refused": the probe fails; "stopped"; "failed".
  Status status = Status::kFailed;
  std::string cause;
  std::string file, design, hash;  // `hash` is the canonical hash of the design as written
  std::int64_t width = 0;          // as trained
  std::uint64_t seed = 0;
  double seconds = 0;
  std::vector<CapabilityTask> tasks;
};

std::string to_json(const CapabilitySpec& spec);
std::string to_json(const CapabilityResult& result);
/// Returns the result on one line.
std::string to_line(const CapabilityResult& result);
/// Errors: as in record/trial.h; also "spec" for numbers out of range.
Result<CapabilitySpec> parse_capability_spec(const std::string& json);
Result<CapabilityResult> parse_capability_result(const std::string& json);

}  // namespace gabbro::record
