// Builds a program from parents and newly written units, with the same edits that the genetic operators use.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agents/brief.h"
#include "agents/proposal.h"
#include "edit/edit.h"

namespace gabbro::agents {

/// The starting point of a design: the first parent, after crossover if there was one, or an empty program
/// when the design is made from scratch.
struct Base {
  record::Mode mode = record::Mode::kMutation;
  lang::Program program;
  std::string place;              // path (edit/edit.h) at which the new instance goes; empty if from scratch
  std::string old_instance;       // text of the parent's instance at `place`; empty if from scratch
  std::optional<bool> tied;       // as Proposal::tied
  std::string inserted_instance;  // text of the instance that crossover put there; empty without crossover
};

/// Checks a program that has to hold a single design: any other number of them is an error of the report.
lang::CheckReport check_single_design(const std::string& text, const lang::Library& library);

/// Parses the parents of a brief. Errors, "brief": there are fewer parents than the mode needs, or a parent
/// does not pass the checker or has no single design.
Result<std::vector<lang::Program>> parse_parents(const Brief& brief, const lang::Library& library);

/// Returns the base of a proposal; `parents` are those of the brief, in its order. Errors, "proposal":
/// `place` or `from` does not exist, or the result of the crossover does not pass the checker.
Result<Base> prepare(const Proposal& proposal, record::Mode mode, const std::vector<lang::Program>& parents,
                     const lang::Library& library);

/// Returns the unit whose instance stood at the base's place, or null if a list, a repetition or nothing
/// stood there.
const lang::Unit* unit_at(const Base& base, const lang::Library& library);

/// Returns true if an item of `items` has this name.
bool is_item(const std::string& name, const std::vector<lang::Item>& items);

/// Returns the items of the base that units can use: all except its design.
std::vector<lang::Item> items_of(const Base& base);

/// Returns `items` with `added`; an added item replaces an item of the same name.
std::vector<lang::Item> with_items(std::vector<lang::Item> items, const std::vector<lang::Item>& added);

/// Builds the whole program from the base and the new units. `instance` goes to the base's place ("" keeps
/// what crossover put there) or becomes the stack of a new design. The design is named after `title`, so that
/// no item and no unit of the library has its name. Errors: those of the edits and the checker.
Result<lang::Program> assemble(const Base& base, const std::vector<lang::Item>& added,
                               const std::string& instance, const std::string& title,
                               const edit::Against& against);

/// Lists the paths of a design for prompts, one per line, each with the instance that stands there; at most
/// `max_lines` lines.
std::string places_text(const lang::Program& program, const lang::Library& library,
                        std::size_t max_lines = 40);

/// Converts a title to a legal name of a design of at most about 40 characters, in whole words: "Delta rule
/// with decay" becomes DeltaRuleWithDecay. Digits at the beginning, and all but ASCII letters and digits, are
/// dropped.
std::string design_name(const std::string& title);

}  // namespace gabbro::agents
