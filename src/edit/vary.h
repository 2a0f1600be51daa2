// Random edits: each operator draws a place and arguments, and applies one edit of edit.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/random.h"
#include "edit/codebook.h"
#include "edit/edit.h"

namespace gabbro::edit {

enum class Operator : std::uint8_t {
  kReplaceSubtree,  // replaces a place by another unit of the book
  kCrossover,       // replaces a place by a subtree of the second parent
  kWrap,            // moves a unit into a slot of another unit
  kInsert,          // adds an element to the stack
  kRemove,
  kDuplicate,
  kShare,              // makes two places, or all repetitions of one, share parameters
  kSetHyper,           // sets a hyperparameter to another allowed value
  kHybrid,             // turns n * X into a stack that mixes X with another block
  kNewUnit,            // replaces a place by a newly generated unit
  kReplaceExpression,  // replaces an expression by a new one of its type
  kReplaceStatement,   // replaces the value of a statement by a new one
  kInsertStatement,    // transforms a value before it is used
  kDeleteStatement,    // replaces a value by another of its type
  kSwapOperator,       // replaces + by *, tanh by sigmoid ...
  kStepConstant,
};

std::span<const Operator> all_operators();
std::string_view name_of(Operator op);

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
                                    CodeBook& book, Random& random);

/// Does the same and returns only the program.
Result<Program> vary(Operator op, const Program& program, const Program* second_parent, CodeBook& book,
                     Random& random);

}  // namespace gabbro::edit
