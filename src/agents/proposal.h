// What a proposer promises, and what the checker makes of it.
#pragma once

#include <string>
#include <vector>

#include "ir/facts.h"
#include "record/task.h"

namespace gabbro::agents {

struct Proposal {
  std::string title, idea;
  std::string place;  // where the (first) parent changes: a path of edit/edit.h; empty: from scratch
  std::string from;   // crossover: the path in the second parent
  std::vector<std::string> units;  // new ones
  // What it expects of the whole design; empty: nothing is promised.
  std::string reach;       // "all", "window"
  std::string state;       // "bounded", "grows"
  std::string complexity;  // "O(T)", "O(T log T)", "O(T^2)"
  double gain = 0;         // bits per byte
  std::string why;
};

/// Errors, "proposal": not an object, no title or idea, an illegal or repeated name of a unit, more than
/// `most_units`, a promise in other words than those asked for.
Result<Proposal> parse_proposal(const std::string& json, int most_units);

/// As reviewers, planner and coder read it, and as the record keeps it.
std::string describe(const Proposal& proposal);

/// Each promise with what the checker found. A design may be better than promised: a state that is bounded, a
/// lower complexity.
std::vector<record::Promise> verify_promises(const Proposal& proposal, const ir::Facts& facts);

/// "reach: ..., state: ..." of those that are broken; empty when all are kept.
std::string broken(const std::vector<record::Promise>& promises);

/// The facts of a design in lines.
std::string facts_text(const ir::Facts& facts);

}  // namespace gabbro::agents
