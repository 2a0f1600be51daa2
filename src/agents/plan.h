// The plan of a proposal: its units in the order in which they are written.
#pragma once

#include <string>
#include <vector>

#include "agents/assemble.h"
#include "agents/interview.h"

namespace gabbro::agents {

/// A unit to be written. All its ports have the axes [t, D].
struct PlannedUnit {
  std::string name;
  std::vector<std::string> inputs{"x"};
  std::vector<std::string> results;  // names of the outputs after the first
  std::vector<std::string> uses;     // names of units of the plan that it uses
  std::string task;                  // what the coder is told to write: formula and parameters
};

struct UnitPlan {
  std::vector<PlannedUnit> units;  // sorted: each after the units it uses
  // Expression that instantiates the units and goes to Base::place; empty: keep the result of crossover.
  std::string instance;
};

/// Returns the signature of a unit without hyperparameters, such as "Name(x: [t, D], y: [t, D]) -> [t, D],
/// v: [t, D]".
std::string signature(const PlannedUnit& unit);

/// Reads a planner's reply. Errors, "plan": not an object; more than `max_units` units; an illegal name or
/// one that is taken (a mutation may rewrite a unit of the parent with the same interface); a use of an
/// unknown unit; a cycle (the message names its units); a unit that nothing uses; an instance that is not an
/// expression or uses none of the units.
///
/// Inputs that are hyperparameters, library units that the instance does not name, and unnamed arguments of
/// the instance are dropped. The unit that replaces another gets the ports of that unit. With `repair_all`,
/// errors in names are repaired as well: a taken name gets a number; illegal or repeated ports, uses of
/// unknown units and unused units are dropped; an unusable instance becomes the last unit.
Result<UnitPlan> parse_plan(const std::string& json, const Base& base, int max_units,
                            const lang::Library& library, bool repair_all = false);

/// Describes for prompts what UnitPlan::instance has to be. `unit` is the name of a unit for the example, or
/// "".
std::string instance_text(const Base& base, const std::string& unit);

/// Returns the last unit of the plan with its defaults, as an instance; "" without units.
std::string plain_instance(const UnitPlan& plan, const Base& base);

/// Returns true if a planner divides the proposal into units: not if AgentSettings::planner is off, and not
/// for a mutation by a single unit.
bool asks_planner(const AgentSettings& settings, record::Mode mode, const Proposal& proposal);

/// Asks the planner; names in its last reply are repaired. If none is asked, the units are those that the
/// proposal names, in its order; the one that replaces another gets the ports of that unit. Returns an empty
/// plan for a crossover without new units. Errors: those of chat, "plan".
Result<UnitPlan> make_plan(Interview& interview, const Proposal& proposal, const Base& base);

}  // namespace gabbro::agents
