// The units of a proposal in the order in which they are written.
#pragma once

#include <string>
#include <vector>

#include "agents/assemble.h"
#include "agents/talk.h"

namespace gabbro::agents {

/// A unit to be written. All its ports have the axes [t, D].
struct PlannedUnit {
  std::string name;
  std::vector<std::string> inputs{"x"};
  std::vector<std::string> results;  // beyond the first
  std::vector<std::string> uses;     // units of the plan
  std::string does;
};

struct Plan {
  std::vector<PlannedUnit> units;  // each after those that it uses
  std::string instance;  // the expression that puts them to use; empty: what crossover brought stays
};

/// "Name(x: [t, D], y: [t, D]) -> [t, D], v: [t, D]"
std::string signature(const PlannedUnit& unit);

/// Errors, "plan": not an object, too many units, an illegal or taken name (a unit of the parent's own may be
/// written anew with its interface in a mutation), a use of an unknown unit, a cycle (with its units), a unit
/// that nothing uses, an instance that is no expression or uses none of the units. Inputs that are
/// hyperparameters, library units that the instance does not name and its arguments without a name are left
/// out, and what takes the place of a unit is called as that was. With `mend`, what is only a matter of names
/// is put right instead: a taken name gets a number, ports that are no names or stand twice and uses of
/// unknown units are left out, the last unit is the instance.
Result<Plan> parse_plan(const std::string& json, const Base& base, int most_units,
                        const lang::Library& library, bool mend = false);

/// What the instance is to be, for prompts; `unit`: one that it may use, or "".
std::string instance_text(const Base& base, const std::string& unit);

/// The last unit of the plan with its defaults, as an instance; "" without units.
std::string plain_instance(const Plan& plan, const Base& base);

/// Asks the planner, whose last reply is mended; without one (Settings::planner) the units are those that the
/// proposal names, in its order. Errors: those of chat, "plan".
Result<Plan> make_plan(Talk& talk, const Proposal& proposal, const Base& base);

}  // namespace gabbro::agents
