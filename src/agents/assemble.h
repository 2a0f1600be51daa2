// From parents and new units to a program: with the edits that genetic operators use.
#pragma once

#include <string>
#include <vector>

#include "agents/brief.h"
#include "agents/proposal.h"
#include "edit/edit.h"

namespace gabbro::agents {

/// What a design is built on: the first parent with what crossover brought, or nothing.
struct Base {
  record::Mode mode = record::Mode::kMutation;
  lang::Program program;
  std::string place;      // where the new instance goes; empty: from scratch
  std::string was, came;  // instances: what stood there, what crossover put there
};

/// The parents of a brief, parsed. Errors, "brief": too few for the mode, a program that does not check.
Result<std::vector<lang::Program>> parse_parents(const Brief& brief, const lang::Library& library);

/// The base of a proposal; this is where a place that does not exist, or a crossover that does not check, is
/// refused. Errors, "proposal".
Result<Base> prepare(const Proposal& proposal, record::Mode mode, const std::vector<lang::Program>& parents,
                     const lang::Library& library);

/// The unit whose instance stood at the base's place; null: a list, a repetition, nothing.
const lang::Unit* unit_at(const Base& base, const lang::Library& library);

/// Whether one of `items` has the name.
bool is_item(const std::string& name, const std::vector<lang::Item>& items);

/// The items of the base that units can use: all but its design.
std::vector<lang::Item> items_of(const Base& base);

/// `items` with `added`, which replace those of their names.
std::vector<lang::Item> with_items(std::vector<lang::Item> items, const std::vector<lang::Item>& added);

/// The whole program: new units, then `instance` at the base's place ("" leaves what crossover put there), or
/// as the stack of a new design. Its design is named after `title`. Errors: those of the edits and the
/// checker.
Result<lang::Program> assemble(const Base& base, const std::vector<lang::Item>& added,
                               const std::string& instance, const std::string& title,
                               const edit::Against& against);

/// Paths of a design and what stands there, a line each, for prompts; at most `most` lines.
std::string places_text(const lang::Program& program, const lang::Library& library, std::size_t most = 40);

/// "Delta rule with decay" as the name of a design: DeltaRuleWithDecay.
std::string design_name(const std::string& title);

}  // namespace gabbro::agents
