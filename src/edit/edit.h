// Edits of programs: pure functions from a well-typed program to a well-typed program, or to the reason why
// not.
//
// Genetic operators and language models edit designs with these and nothing else. Each takes a program with
// one design whose names are its own and those of a library, and returns a new one; the argument is never
// changed. What an edit leaves unread (values, axes, hyperparameters, units) is removed; then the whole
// program is checked, so that a result needs no further checking. The error of a refused edit has a code of
// its own ("place": no such place; "edit": this edit has no meaning there) or is the checker's, with the
// position in the program as it would be printed. Every edit costs one check of the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edit/codebook.h"
#include "lang/ast.h"
#include "lang/check.h"
#include "lang/library.h"

namespace gabbro::edit {

using lang::Expr;
using lang::Library;
using lang::Program;
using lang::Stmt;

/// What the result of an edit is checked against. `report`, when there is one, gets what the check found of a
/// result: its elaboration, proofs, facts and hash (not its program, which the edit returns).
struct Against {
  Against(const Library& known,
          lang::CheckReport* found = nullptr)  // NOLINT: mostly a library is all there is
      : library(known), report(found) {}
  const Library& library;
  lang::CheckReport* report;
};

// ---- the tree of a design
// -------------------------------------------------------------------------------------------------

/// A place of the tree. Paths go down from the stack, or from the name of a shared instance: an element of a
/// list by its number, the unit of a repetition by "*", a slot by its name: "stack.0.*.mixer", "core.norm".
struct Place {
  std::string path;
  Expr instance;                      // what stands there
  bool written = true;                // false: the default of the slot above
  const lang::Unit* owner = nullptr;  // the unit whose slot this is; null in lists and repetitions
  std::string slot;                   // its name
};

/// All places of the design, parents first; defaults two levels deep.
std::vector<Place> places(const Program& program, const Library& library);

/// The instance at `path`, or the default there. Errors: "place".
Result<Expr> subtree(const Program& program, const Library& library, const std::string& path);

/// Puts `instance` at `path`.
Result<Program> replace_subtree(const Program& program, const Against& against, const std::string& path,
                                const Expr& instance);
/// Puts the subtree of `donor` at `from` in the place `path`, with the units that it needs; units of a name
/// that is taken are renamed, equal ones are unified.
Result<Program> crossover(const Program& program, const Against& against, const std::string& path,
                          const Program& donor, const std::string& from);
/// X becomes outer(slot=X).
Result<Program> wrap(const Program& program, const Against& against, const std::string& path, Expr outer,
                     const std::string& slot);
/// `instance` follows what stands at `path`: in the list there, else in a new one.
Result<Program> insert(const Program& program, const Against& against, const std::string& path,
                       const Expr& instance);
/// An element leaves its list, a repetition loses one turn, a unit with slots gives way to what fills its
/// first slot, any other to Identity.
Result<Program> remove(const Program& program, const Against& against, const std::string& path);
/// X becomes 2 * X; n * X becomes (n + 1) * X.
Result<Program> duplicate(const Program& program, const Against& against, const std::string& path);
/// Both places become one shared instance: that of `path`. With the same path twice, all repetitions of that
/// place.
Result<Program> share(const Program& program, const Against& against, const std::string& path,
                      const std::string& with);
/// Unit(...) becomes Unit(..., hyper=value).
Result<Program> set_hyper(const Program& program, const Against& against, const std::string& path,
                          const std::string& hyper, const Expr& value);
/// Copies the library's unit at `path` into the program under a new name, so that its text can be edited. The
/// name is that of the unit at `path` in the result.
Result<Program> adopt(const Program& program, const Against& against, const std::string& path);

// ---- the text of a unit
// ---------------------------------------------------------------------------------------------------

/// A statement of a unit of the program: indices into the body and the bodies within it.
struct Spot {
  std::string unit;
  std::vector<int> at;
};

/// An expression: the value of a statement by its number, then arguments downwards.
struct ExprSpot {
  Spot stmt;
  std::vector<int> at;
};

/// All statements of `unit`, outer ones first, and all expressions in their values.
std::vector<Spot> statements(const lang::Unit& unit);
std::vector<ExprSpot> expressions(const lang::Unit& unit);
const Stmt* find(const lang::Unit& unit, const Spot& spot);
const Expr* find(const lang::Unit& unit, const ExprSpot& spot);

/// Puts `with` (one statement or several) in the place of the statement.
Result<Program> replace_statement(const Program& program, const Against& against, const Spot& spot,
                                  const std::vector<Stmt>& with);
/// Puts `added` before the statement.
Result<Program> insert_statement(const Program& program, const Against& against, const Spot& spot,
                                 const std::vector<Stmt>& added);
/// Removes an assignment or a scan; where its values were read, `stand_in` (same order as the names it
/// assigned) is read.
Result<Program> delete_statement(const Program& program, const Against& against, const Spot& spot,
                                 const std::vector<Expr>& stand_in);
/// Puts `with` in the place of the expression, and `before` before its statement.
Result<Program> replace_expression(const Program& program, const Against& against, const ExprSpot& spot,
                                   const Expr& with, const std::vector<Stmt>& before = {});
/// a + b becomes a `name` b, f(a) becomes `name`(a): the operator or function gets another name, its operands
/// stay.
Result<Program> swap_operator(const Program& program, const Against& against, const ExprSpot& spot,
                              const std::string& name);
/// A number is multiplied by `factor`; whole ones stay whole, and change by at least one.
Result<Program> step_constant(const Program& program, const Against& against, const ExprSpot& spot,
                              double factor);

/// The names that a statement gives values to (states of a scan included), those of its body too.
std::vector<std::string> assigned(const Stmt& stmt);

// ---- for all of them
// ------------------------------------------------------------------------------------------------------

/// Removes what nothing reads: assignments, axes, hyperparameters (and arguments that set them), scans,
/// units.
void tidy(Program& program);

/// `program` if it checks, else its first error.
Result<Program> accept(Program program, const Against& against);

/// The one design of the program. Errors: "edit" when there is none or several.
Result<const lang::Design*> design_of(const Program& program);
lang::Unit* find_unit(Program& program, std::string_view name);
const lang::Unit* find_unit(const Program& program, std::string_view name);

}  // namespace gabbro::edit
