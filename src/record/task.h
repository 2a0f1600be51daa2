// The report of a task: how agents made one design, for the record and for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/cause.h"
#include "record/spelling.h"

namespace gabbro::record {

/// A reviewer's opinion of a proposal. `probability` is that of beating its parent at the first rung; it is
/// scored against the outcome.
struct Review {
  std::string model;
  double probability = 0.5;
  int rating = 0;  // 1 to 5; the mean of a proposal's ratings must reach a minimum (agents/settings.h)
  std::string text;
  /// Id of the paper (TaskReport::papers) that has the idea already, or in the reviewer's words where it is
  /// known from; empty: the reviewer knows of none.
  std::string known{};
};

/// A paper that a search of the library found for a task.
struct FoundPaper {
  std::string id, title;
};

/// A unit of the design, and the effort to write it.
struct WrittenUnit {
  std::string name;
  int candidates = 0;  // replies requested
  int valid = 0;       // valid replies among them
  int repairs = 0;     // checker messages sent back to the model
};

/// The way in which agents write a design: unit by unit after a reviewed proposal, as a whole program that
/// the checker's messages repair, or as a whole program in one reply.
enum class Writing : std::uint8_t { kUnits, kProgram, kDirect };
template <>
struct Spelling<Writing> {
  static constexpr std::string_view kWhat = "writing";
  static constexpr std::array<std::string_view, 3> kWords{"units", "program", "direct"};
};

/// A property of a design that a proposal may promise.
enum class Property : std::uint8_t { kReach, kState, kComplexity };
template <>
struct Spelling<Property> {
  static constexpr std::string_view kWhat = "property";
  static constexpr std::array<std::string_view, 3> kWords{"reach", "state", "complexity"};
};

/// A property that the proposal promised, and the checker's finding.
struct Promise {
  Property property = Property::kReach;
  std::string said, found;  // what was promised, and what the checker found
  bool kept = false;
};

/// Says how agents made a design, or why they failed.
struct TaskReport {
  TaskOutcome outcome = TaskOutcome::kFailed;
  /// The cause of a failure: the stage that gave up ("brief", "proposal", "duplicate", "review", "plan",
  /// "unit", "assembly", "observation"), the code of an error of chat ("stopped", "cap", "chat down" ...), or
  /// that of Brief::admit.
  Cause cause = Cause::kNone;
  std::string detail;  // the reason of a failure, in words
  Mode mode = Mode::kMutation;
  Writing writing = Writing::kUnits;
  std::vector<std::string> without;  // roles that the settings leave out: "reviewer", "librarian" ...
  std::string prompts;               // version: hash of the prompt files
  std::string title, proposal;       // of the accepted proposal
  std::vector<Promise> promises;
  std::vector<Review> reviews;  // of the accepted proposal
  std::vector<FoundPaper>
      papers;  // found by the librarian, or nearest to a proposal; reviewers were shown them
  std::vector<WrittenUnit> units;
  int attempts = 0;      // number of proposals
  int observation = 0;   // the observer's rating, 1 to 5
  std::string observed;  // the observer's text
  std::string program;   // the design, if there is one
  std::int64_t calls = 0, input_tokens = 0, output_tokens = 0;
  double cost = 0, seconds = 0;
};

/// Returns the report as JSON on one line.
std::string to_json(const TaskReport& report);
/// Parses a report. Errors: "task" for invalid JSON, or a field that is missing or of another type.
Result<TaskReport> parse_task_report(const std::string& json);

}  // namespace gabbro::record
