// What a campaign tells its agents: which design is to be made, and what was measured so far.
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

/// A design that a new one grows from, with its evidence in lines that a person would read too.
struct Parent {
  std::int64_t id = 0;
  std::string name, program;
  std::vector<std::string> evidence;  // scores against baselines by rung, curve, ablations
};

/// The order for one design. Everything that guides a conversation is in here, so that equal briefs and equal
/// replies make equal designs.
struct Brief {
  std::int64_t task = 0;
  std::uint64_t seed = 1;
  record::Mode mode = record::Mode::kMutation;
  std::vector<Parent> parents;
  std::vector<std::string> credit;      // what units were worth: "Gla: -0.021 against its absence (3 seeds)"
  std::vector<std::string> neighbours;  // designs to stay away from, a line each
  std::vector<std::string> failures;    // "size: 14 times; ..."
  std::vector<std::string> directions;  // of the person who steers
  bool direct =
      false;  // by one reply that holds the whole program: the strategy that the pipeline is compared with
  /// A description (title and proposal) near a known one is refused before review: earlier accepted
  /// proposals' texts.
  std::vector<std::string> proposals;
  /// By model, how much its rating counts (agents/weights.h); one that is not named counts 1.
  std::map<std::string, double> reviewer_weights;
  /// Refuses a program that the campaign knows (by its hash) or cannot train; may be empty. Called from the
  /// task's thread.
  std::function<Result<bool>(const lang::Program&)> admit;
};

/// On one line; without `direct`, `proposals` and `admit`, which follow from the rest of the record.
std::string to_json(const Brief& brief);
/// Errors: "brief": not JSON, a field that is missing or of another type.
Result<Brief> parse_brief(const std::string& json);

}  // namespace gabbro::agents
