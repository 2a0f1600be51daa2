// The job "capabilities": what a design learns to do on synthetic tasks (capability/task.h), at tiny size, in
// seconds.
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
  std::string file;                // a name for the report
  std::string program;             // source text; its last design is asked
  std::vector<std::string> tasks;  // names; none: all
  std::uint64_t seed = 1;
  std::int64_t steps = 600;  // of a training at most; one that has solved its task ends earlier
  std::string device = "cpu";
  int threads = 1;
  std::int64_t memory = 0;  // bytes that the worker may hold; 0: what the machine has left
};

/// How a design does one task at one length, on sequences that neither training nor the choice of the rate
/// saw.
struct CapabilityScore {
  std::string task;
  std::int64_t length = 0;  // tokens of a sequence
  double accuracy = 0;      // share of the answers that are right
  double error = 0;         // standard error of it, over sequences
  double chance = 0;        // the accuracy of a guess
  std::int64_t asked = 0;   // answers
};

/// One task: the training whose answers are scored, and what was spent to find it.
struct CapabilityTask {
  std::string task;
  std::string outcome = "failed";  // "done"; without scores: "not finite", "diverged", "memory", "failed"
  std::string cause;               // in words, unless done
  std::int64_t params = 0;         // with the vocabulary of the task
  double rate = 0;                 // the learning rate that was best, at fan-in 256
  double loss = 0;                 // of its last steps, nats per answer
  std::int64_t runs = 0, steps = 0, tokens = 0;  // of all trainings of this task
  double seconds = 0;
  std::vector<CapabilityScore> scores;  // the first is at the length of training
};

struct CapabilityResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "capabilities";
  Status status =
      Status::kFailed;  // "done": every task has an outcome; "refused": the probe fails; "stopped"
  std::string cause;
  std::string file, design, hash;  // the canonical hash of the design as written
  std::int64_t width = 0;          // as it was trained
  std::uint64_t seed = 0;
  double seconds = 0;
  std::vector<CapabilityTask> tasks;
};

std::string to_json(const CapabilitySpec& spec);
std::string to_json(const CapabilityResult& result);
/// On one line.
std::string to_line(const CapabilityResult& result);
/// Errors: as those of a trial; also "spec" for numbers out of range.
Result<CapabilitySpec> parse_capability_spec(const std::string& json);
Result<CapabilityResult> parse_capability_result(const std::string& json);

}  // namespace gabbro::record
