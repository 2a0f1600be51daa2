// What agents did for one design: the report of a task, as the record keeps it and as a person reads it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

/// A reviewer's opinion of a proposal: the probability that the design beats its parent at the next rung, to
/// be scored by what happens.
struct Review {
  std::string model;
  double probability = 0.5;
  int rating = 0;  // 1 to 5; a proposal passes from Settings' bar on
  std::string text;
};

/// A unit of the design as it was written.
struct WrittenUnit {
  std::string name;
  int candidates = 0;  // replies asked for
  int valid = 0;       // of these, those that checked
  int repairs = 0;     // messages of the checker sent back
};

/// A property that the proposal promised and what the checker found.
struct Promise {
  std::string property;  // "reach", "state", "complexity" ...
  std::string said, found;
  bool kept = false;
};

struct TaskReport {
  TaskOutcome outcome = TaskOutcome::kFailed;
  /// Of a failure: the stage that gave up ("brief", "proposal", "duplicate", "review", "plan", "unit",
  /// "assembly", "observation"), the code of an error of chat ("stopped", "cap", "chat down" ...), or of
  /// Brief::admit; and why.
  std::string cause, detail;
  Mode mode = Mode::kMutation;
  std::string prompts;          // version: hash of the prompt files
  std::string title, proposal;  // the accepted proposal; its text
  std::vector<Promise> promises;
  std::vector<Review> reviews;  // of the accepted proposal
  std::vector<WrittenUnit> units;
  int attempts = 0;     // proposals
  int observation = 0;  // 1 to 5
  std::string observed;
  std::string program;  // the design, when there is one
  std::int64_t calls = 0, input_tokens = 0, output_tokens = 0;
  double cost = 0, seconds = 0;
};

/// On one line.
std::string to_json(const TaskReport& report);
/// Errors: "task": not JSON, a field that is missing or of another type.
Result<TaskReport> parse_task_report(const std::string& json);

}  // namespace gabbro::record
