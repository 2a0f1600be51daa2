// The coder: writes the units of a plan, guided by the checker's messages.
//
// Two searches are nested. A beam search goes through the units of the plan in order and keeps the best
// drafts. For each unit of a draft, a best-first search sends the best of its refused texts back to the model
// until one is valid.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agents/assemble.h"
#include "agents/interview.h"
#include "agents/plan.h"
#include "lang/check.h"

namespace gabbro::agents {

/// A text for one unit with the checker's findings.
struct UnitCandidate {
  std::string text;               // Gab found in the reply
  std::vector<lang::Item> items;  // the unit and the functions that come with it
  // Those with a line are errors in `text`; one in another item names it and quotes its line.
  std::vector<Error> errors;
  int broken_promises = 0;  // promises that the unit breaks on its own (counted for the last unit)
  [[nodiscard]] bool valid() const { return errors.empty(); }
  /// Returns the sort key of the best-first search, smallest first: errors (one of syntax or interface counts
  /// as ten others), broken promises, bytes of text.
  [[nodiscard]] std::vector<std::size_t> sort_key() const;
};

/// The units of a plan written so far: one path of the beam search.
struct Draft {
  std::vector<lang::Item> items;            // the units and the functions that come with them
  std::vector<Error> errors;                // errors of texts that were accepted without a checker
  std::vector<std::size_t> sort_key{0, 0};  // broken promises, bytes of text; smallest first
  // Texts of units that the draft does not have yet, by name: a reply may have had the next units, too. They
  // are checked when it is their turn.
  std::map<std::string, std::string> unchecked;
};

/// Reads a reply for the planned unit and checks it together with what the unit can use. Signs that have one
/// reading in ASCII are read so (lang/ascii_hint.h). Designs and units that already exist are dropped from
/// the reply. A hyperparameter that the unit reads without declaring it is declared as in a unit that has it
/// (the replaced unit, one of the design's own, or one of the library). Assignments, axes and hyperparameters
/// that nothing reads are removed. Errors: those of the checker, and "interface" (the reply has no unit of
/// this name, a unit with other ports, or a further unit). `written` are the items of the draft so far.
/// `is_last` is true for the last unit of the plan, which is compared with the promises. Costs one check of
/// the base's units.
UnitCandidate check_reply(const std::string& reply, const PlannedUnit& unit, const Proposal& proposal,
                          const Base& base, const std::vector<lang::Item>& written, bool is_last,
                          const lang::Library& library);

/// Writes all units of the plan by a beam search over drafts. For each unit, every draft in the beam gets
/// AgentSettings::candidates replies; a reply may have the next units as well, which then need none of their
/// own. While none of them passes the checker, the best one goes back with its errors, at most
/// AgentSettings::repairs times. Without a checker (AgentSettings::checker), there is one
/// reply, which is taken as it is. The best AgentSettings::beam drafts continue. Returns the drafts, best
/// first, and fills TaskReport::units. Errors: those of chat; "unit" with the last errors.
Result<std::vector<Draft>> write_units(Interview& interview, const Proposal& proposal, const UnitPlan& plan,
                                       const Base& base);

/// Rewrites the unit named `unit`. `fault`, sentences for the coder, says what is wrong with it. Errors:
/// those of chat; "unit" if the plan has no such unit or no reply is valid.
Result<Draft> rewrite_unit(Interview& interview, const Proposal& proposal, const UnitPlan& plan,
                           const Base& base, Draft draft, const std::string& unit, const std::string& fault);

/// Returns the whole program of a draft and fills its check report. If the plan's instance does not fit, the
/// coder writes another, guided by the checker's messages, at most AgentSettings::repairs times. After that
/// the plan's last unit with its defaults is tried as the instance. `plan.instance` becomes the one that is
/// used. Errors: those of chat, "unit" (a draft with errors), "assembly".
Result<lang::Program> finish_draft(Interview& interview, const Proposal& proposal, UnitPlan& plan,
                                   const Base& base, const Draft& draft, lang::CheckReport& report);

}  // namespace gabbro::agents
