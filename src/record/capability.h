// The job "capabilities": measures what a design, reduced to a tiny size, learns on synthetic tasks
// (capability/task.h), in a few minutes.
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
  std::string file;                // file of the program, for messages and the result
  std::string program;             // source text; its last design is trained
  std::vector<std::string> tasks;  // task names; none: all tasks
  std::uint64_t seed = 1;          // of weights and sequences
  // Maximum number of steps of a training run; a run that has solved its task ends earlier.
  std::int64_t steps = 600;
  int threads = 1;
  std::int64_t memory = 0;  // bytes that the worker may hold; 0: all that the machine has left
};

/// The score of a design on one task at one length, on sequences that neither training nor the selection of
/// the learning rate used.
struct CapabilityScore {
  std::string task;
  std::int64_t length = 0;   // tokens of a sequence
  double accuracy = 0;       // share of correct answers
  double error = 0;          // standard error of `accuracy` over sequences
  double chance = 0;         // accuracy of the best guess without the context
  std::int64_t answers = 0;  // number of questions in all sequences
};

/// The result of one task: the training run whose answers are scored, and the cost of all runs.
struct CapabilityTask {
  std::string task;
  CapabilityOutcome outcome = CapabilityOutcome::kFailed;
  std::string cause;                             // empty if done
  std::int64_t params = 0;                       // of the tiny design with the vocabulary of the task
  double rate = 0;                               // the chosen peak rate; matrices get rate * 256 / fan-in
  double loss = 0;                               // running mean of the loss at the end, nats per answer
  std::int64_t runs = 0, steps = 0, tokens = 0;  // totals of all training runs of this task
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
/// Returns the result as JSON on one line.
std::string to_line(const CapabilityResult& result);
/// Parse a spec and a result. Errors: those of parse_spec and parse_result in record/trial.h.
Result<CapabilitySpec> parse_capability_spec(const std::string& json);
Result<CapabilityResult> parse_capability_result(const std::string& json);

}  // namespace gabbro::record
