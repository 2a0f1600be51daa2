// The brief: the design that a campaign orders from its agents, and the measurements so far.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "lang/ast.h"
#include "record/spelling.h"
#include "record/task.h"

namespace gabbro::agents {

/// A parent design, with what is known of it as lines of readable text.
struct Parent {
  std::int64_t id = 0;  // id of the design in the campaign; without a campaign: its index, from 1
  std::string name, program;
  std::vector<std::string> evidence;  // scores against baselines by rung, loss curve, ablations
  // The proposals, promises, objections and outcomes of the design and its ancestors.
  std::vector<std::string> history;
};

/// The order for one design. It contains everything that guides a interview, so that equal briefs and
/// equal replies give equal designs.
struct Brief {
  std::int64_t task = 0;  // id under which calls are recorded (chat::ChatRequest::task)
  record::Mode mode = record::Mode::kMutation;
  std::vector<Parent> parents;      // record::parents_of(mode) of them; the first is the one that changes
  std::vector<Parent> best;         // from scratch: the best designs so far
  std::vector<std::string> ladder;  // sizes, budgets, lengths and vocabulary at which designs are trained
  // Measured contribution of units, one per line; below 0 is better: "GLA: -0.0210 [-0.0300, -0.0120] bits
  // per byte in 5 pairs of a design with it and one without".
  std::vector<std::string> credit;
  std::vector<std::string> neighbours;  // designs that the new one must differ from, one per line
  std::vector<std::string> failures;    // failures so far by cause: "size: 14 times; the last: ..."
  std::vector<std::string> forecasts;   // how the forecasts of reviewers came out
  std::vector<std::string> directions;  // instructions from the person who steers the campaign
  // The way of writing the design; nothing: as AgentSettings::writing says.
  std::optional<record::Writing> writing;
  /// Proposals accepted earlier, as describe(proposal). A proposal whose title and idea are similar to one of
  /// them is refused before review.
  std::vector<std::string> proposals;
  /// Weight of each model's ratings (agents/weights.h) by its name; a model that is not listed has weight 1.
  std::map<std::string, double> reviewer_weights;
  /// Returns an error for a program that the campaign already has or cannot train, with the code of the
  /// screen; false means "duplicate". If empty, every program is admitted. It is called from the task's
  /// thread.
  std::function<Result<bool>(const lang::Program&)> admit;
};

/// Returns the brief as JSON on one line. `proposals` and `admit` are left out, since they follow from the
/// rest of the campaign's record.
std::string to_json(const Brief& brief);
/// Errors, "brief": the text is not JSON, or a field is missing or has another type.
Result<Brief> parse_brief(const std::string& json);

}  // namespace gabbro::agents
