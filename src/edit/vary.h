// Random edits: each operator draws where and with what, and applies one edit of edit.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/random.h"
#include "edit/codebook.h"
#include "edit/edit.h"

namespace gabbro::edit {

enum class Operator : std::uint8_t {
  kReplaceSubtree,  // a place takes another unit of the book
  kCrossover,       // a place takes a subtree of the second_parent
  kWrap,            // a unit becomes the content of a slot of another
  kInsert,          // one more element of the stack
  kRemove,
  kDuplicate,
  kShare,              // two places, or all turns of one, get the same parameters
  kSetHyper,           // a hyperparameter takes another allowed value
  kHybrid,             // n * X becomes a stack that mixes X with another block
  kNewUnit,            // a place takes a unit written anew
  kReplaceExpression,  // an expression becomes a new one of its type
  kReplaceStatement,   // a statement's value is made anew
  kInsertStatement,    // a value is worked on before it is used
  kDeleteStatement,    // a value gives way to another of its type
  kSwapOperator,       // + becomes *, tanh becomes sigmoid ...
  kStepConstant,
};

std::span<const Operator> all_operators();
std::string_view name_of(Operator op);

/// A design and what its check found.
struct Variant {
  Program program;
  lang::Subject subject;  // graph, proofs, facts, hash
};

/// One random edit of `program` (one design, checked). Units of the library are adopted before their text is
/// edited. `second_parent` is the other parent of a crossover; null: a random program. Errors: what the edit
/// reports ("edit": the program has no place for this operator), so a caller draws again. The result differs
/// from `program`, is well typed and causal. One check of the result, which need not be checked again.
Result<Variant> vary_checked(Operator op, const Program& program, const Program* second_parent,
                             CodeBook& book, Random& random);

/// The program alone.
Result<Program> vary(Operator op, const Program& program, const Program* second_parent, CodeBook& book,
                     Random& random);

}  // namespace gabbro::edit
