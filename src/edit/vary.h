// Random edits: each operator draws a place and arguments, and applies one edit of edit.h.
#pragma once

#include <span>

#include "base/random.h"
#include "edit/edit.h"
#include "edit/unit_catalogue.h"
#include "record/spelling.h"

namespace gabbro::edit {

using record::Operator;

/// Returns all operators, in the order of the enum.
std::span<const Operator> all_operators();

/// A design and the findings of its check.
struct ProgramVariant {
  Program program;
  lang::Subject subject;  // graph, proofs, facts, hash
};

/// Applies one random edit to `program`, which must have one design and be checked. Units of the library are
/// adopted before their text is edited. `second_parent` is the other parent of a crossover; if null, a random
/// program takes its place. Errors: those of the edit ("edit": the program has no place for this operator),
/// after which the caller draws again. The result differs from `program`, is well typed and causal, and needs
/// no further check. One check of the result.
Result<ProgramVariant> vary_checked(Operator op, const Program& program, const Program* second_parent,
                                    UnitCatalogue& catalogue, Random& random);

/// Does the same and returns only the program.
Result<Program> vary(Operator op, const Program& program, const Program* second_parent,
                     UnitCatalogue& catalogue, Random& random);

}  // namespace gabbro::edit
