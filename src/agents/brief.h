// The brief: the design that a campaign orders from its agents, and the measurements so far.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "lang/ast.h"
#include "record/spelling.h"

namespace gabbro::agents {

/// A parent design, with its evidence as lines of readable text.
struct Parent {
  std::int64_t id = 0;
  std::string name, program;
  std::vector<std::string> evidence;  // scores against baselines by rung, loss curve, ablations
};

/// The order for one design. It contains everything that guides a conversation, so that equal briefs and
/// equal replies give equal designs.
struct Brief {
  std::int64_t task = 0;
  std::uint64_t seed = 1;
  record::Mode mode = record::Mode::kMutation;
  std::vector<Parent> parents;
  // Measured contribution of units: "Gla: -0.021 against its absence (3 seeds)".
  std::vector<std::string> credit;
  std::vector<std::string> neighbours;  // designs that the new one must differ from, one per line
  std::vector<std::string> failures;    // failures so far, counted by cause: "size: 14 times; ..."
  std::vector<std::string> directions;  // instructions from the person who steers the campaign
  // Asks for the whole program in one reply. This is the strategy with which the pipeline is compared.
  bool direct = false;
  /// Texts of proposals accepted earlier. A description (title and proposal) similar to one of them is
  /// refused before review.
  std::vector<std::string> proposals;
  /// Weight of each model's ratings (agents/weights.h); a model that is not listed has weight 1.
  std::map<std::string, double> reviewer_weights;
  /// Refuses a program that the campaign already has (by its hash) or cannot train; may be empty. It is
  /// called from the task's thread.
  std::function<Result<bool>(const lang::Program&)> admit;
};

/// Returns the brief as JSON on one line. `direct`, `proposals` and `admit` are left out, since they follow
/// from the rest of the record.
std::string to_json(const Brief& brief);
/// Errors, "brief": the text is not JSON, or a field is missing or has another type.
Result<Brief> parse_brief(const std::string& json);

}  // namespace gabbro::agents
