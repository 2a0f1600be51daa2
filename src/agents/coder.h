// The coder: units one at a time, with the checker's messages, searched best-first.
#pragma once

#include <string>
#include <vector>

#include "agents/assemble.h"
#include "agents/plan.h"
#include "agents/talk.h"
#include "lang/check.h"

namespace gabbro::agents {

/// A text for one unit, and what the checker says of it.
struct Candidate {
  std::string text;               // the Gab that was found in the reply
  std::vector<lang::Item> items;  // the unit and the functions it brings
  std::vector<Error> errors;      // in `text`
  int broken = 0;                 // promises that it breaks taken alone
  [[nodiscard]] bool valid() const { return errors.empty(); }
  /// Candidates are searched by it, the smallest first: errors (of syntax before those of types), broken
  /// promises, length.
  [[nodiscard]] std::vector<std::size_t> badness() const;
};

/// The units of a plan written so far: one path of the search.
struct Draft {
  std::vector<lang::Item> items;
  std::vector<Error> errors;               // without a checker: of texts that were taken as they were
  std::vector<std::size_t> badness{0, 0};  // broken promises, length
};

/// Reads a reply for `unit` and checks it with what it can use. Units that are known already and designs in
/// the reply are left out. Hyperparameters that the unit reads as others have them are declared, and what
/// nothing reads in it is removed. Errors of the candidate beyond the checker's: "interface" (no unit of this
/// name, or with other ports). One check of the base's units.
Candidate judge(const std::string& reply, const PlannedUnit& unit, const Proposal& proposal, const Base& base,
                const std::vector<lang::Item>& written, bool last, const lang::Library& library);

/// Writes all units of the plan: for each, Settings::candidates replies for every draft kept; while none of a
/// draft checks, the best one goes back with its errors, at most Settings::repairs times; the best
/// Settings::beam drafts go on (a beam search over units). Drafts, best first. Fills TaskReport::units.
/// Errors: those of chat; "unit" with the last errors.
Result<std::vector<Draft>> write_units(Talk& talk, const Proposal& proposal, const Plan& plan,
                                       const Base& base);

/// Writes one unit of a draft anew, as `complaint` asks. Errors: those of chat, "unit".
Result<Draft> rewrite_unit(Talk& talk, const Proposal& proposal, const Plan& plan, const Base& base,
                           Draft draft, const std::string& unit, const std::string& complaint);

/// The whole program of a draft with its check report; when the plan's instance does not fit, the coder
/// writes another, with the checker's messages, at most Settings::repairs times; then the plan's last unit
/// stands there with its defaults. Errors: those of chat, "assembly".
Result<lang::Program> finish_draft(Talk& talk, const Proposal& proposal, Plan& plan, const Base& base,
                                   const Draft& draft, lang::CheckReport& report);

}  // namespace gabbro::agents
