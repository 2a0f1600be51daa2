// Edits of programs: pure functions from a well-typed program to a well-typed program, or to an error.
//
// Genetic operators and language models change designs only through these edits. Each takes a program with
// one design, whose names come from the program and a library, and returns a new program; the argument never
// changes. Values, axes, hyperparameters and units that are unread after the edit are removed. Then the whole
// program is checked, so the result needs no further check. The error of a rejected edit has a code of its
// own ("place": there is no such place; "edit": the edit has no meaning there), or it is the checker's, with
// the position in the program as printed. Every edit costs one check of the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edit/unit_catalogue.h"
#include "lang/ast.h"
#include "lang/check.h"
#include "lang/library.h"

namespace gabbro::edit {

using lang::Expr;
using lang::Library;
using lang::Program;
using lang::Stmt;

/// The library against which the result of an edit is checked. If `report` is set, it receives the findings
/// of that check: elaboration, proofs, facts and hash (but not the program, which the edit returns). If the
/// program is refused, it receives the program and all errors, with positions in the program as printed.
struct Against {
  Against(const Library& library_to_use,
          lang::CheckReport* report_to_fill = nullptr)  // NOLINT: implicit
      : library(library_to_use), report(report_to_fill) {}
  const Library& library;
  lang::CheckReport* report;  // may be null
};

// ---- The tree of a design ----

/// A place of the tree. A path starts at the stack or at the name of a shared instance. Its steps are the
/// index of a list element, "*" for the unit of a repetition, and the name of a slot: "stack.0.*.mixer",
/// "core.norm".
struct TreePlace {
  std::string path;
  Expr instance;                      // the instance at this place
  bool written = true;                // false if it is, or is part of, the default of a slot
  const lang::Unit* owner = nullptr;  // unit to which the slot belongs; null in lists and repetitions
  std::string slot;                   // name of the slot; "" in lists and repetitions
};

/// Returns all places of the program's design, parents first; defaults are followed two levels deep. Empty if
/// the program has not exactly one design.
std::vector<TreePlace> places(const Program& program, const Library& library);

/// Returns the instance at `path`, or the default there. Errors: "place".
Result<Expr> subtree(const Program& program, const Library& library, const std::string& path);

/// Replaces the subtree at `path` by `instance`.
Result<Program> replace_subtree(const Program& program, const Against& against, const std::string& path,
                                const Expr& instance);
/// Replaces the subtree at `path` by the subtree of `donor` at `donor_path`, and copies the units that it
/// needs. Units whose name is taken are renamed; equal units are unified.
Result<Program> crossover(const Program& program, const Against& against, const std::string& path,
                          const Program& donor, const std::string& donor_path);
/// Replaces X at `path` by outer(slot=X).
Result<Program> wrap(const Program& program, const Against& against, const std::string& path, Expr outer,
                     const std::string& slot);
/// Inserts `instance` after the one at `path`, in the list there or else in a new one.
Result<Program> insert(const Program& program, const Against& against, const std::string& path,
                       const Expr& instance);
/// Removes the instance at `path`: an element leaves its list, a repetition loses one copy, a unit with slots
/// is replaced by the content of its first slot, and any other unit by Identity.
Result<Program> remove(const Program& program, const Against& against, const std::string& path);
/// Replaces X by 2 * X, and n * X by (n + 1) * X.
Result<Program> duplicate(const Program& program, const Against& against, const std::string& path);
/// Replaces the places at both paths by one shared instance, that of `path`. If both paths are equal, all
/// repetitions of that place share one instance.
Result<Program> share(const Program& program, const Against& against, const std::string& path,
                      const std::string& other_path);
/// Gives embedding and output layer one table, or two.
Result<Program> set_tied(const Program& program, const Against& against, bool tied);
/// Replaces Unit(...) by Unit(..., hyper=value).
Result<Program> set_hyper(const Program& program, const Against& against, const std::string& path,
                          const std::string& hyper, const Expr& value);
/// Copies the library's unit at `path` into the program under a new name, so that its text can be edited. The
/// instance at `path` in the result has the new name.
Result<Program> adopt(const Program& program, const Against& against, const std::string& path);

// ---- The text of a unit ----

/// A statement of a unit of the program: indices into the body and into the bodies nested in it.
struct Spot {
  std::string unit;  // its name
  std::vector<int> path;
};

/// An expression: the index of a value of the statement, then indices of arguments, downwards.
struct ExprSpot {
  Spot stmt;
  std::vector<int> path;
};

/// Returns all statements of `unit`, outer ones first.
std::vector<Spot> statements(const lang::Unit& unit);
/// Returns all expressions in the values of these statements, outer ones first.
std::vector<ExprSpot> expressions(const lang::Unit& unit);
/// Return the statement or expression at a spot; null if there is none.
const Stmt* find(const lang::Unit& unit, const Spot& spot);
const Expr* find(const lang::Unit& unit, const ExprSpot& spot);

/// Replaces the statement by one or several others.
Result<Program> replace_statement(const Program& program, const Against& against, const Spot& spot,
                                  const std::vector<Stmt>& replacement);
/// Removes an assignment or a scan. Each read of its values is replaced by the entry of `stand_in` for that
/// name (in the order of the assigned names).
Result<Program> delete_statement(const Program& program, const Against& against, const Spot& spot,
                                 const std::vector<Expr>& stand_in);
/// Replaces the expression, and inserts the statements `before` before its statement.
Result<Program> replace_expression(const Program& program, const Against& against, const ExprSpot& spot,
                                   const Expr& replacement, const std::vector<Stmt>& before = {});
/// Renames an operator or function and keeps its operands: a + b becomes a `name` b, and f(a) becomes
/// `name`(a).
Result<Program> swap_operator(const Program& program, const Against& against, const ExprSpot& spot,
                              const std::string& name);
/// Multiplies a number by `factor`. Integers stay integers and change by at least one.
Result<Program> step_constant(const Program& program, const Against& against, const ExprSpot& spot,
                              double factor);

/// Returns the names that a statement assigns (including states of a scan), and those that its body assigns.
std::vector<std::string> assigned(const Stmt& stmt);

// ---- Shared by all edits ----

/// Removes everything unread: assignments, axes, hyperparameters (and arguments that set them), scans, units.
void tidy(Program& program);

/// Returns `program` if it passes the checker, or else its first error, and fills `against.report`.
Result<Program> accept(Program program, const Against& against);

/// Returns the only design of the program. Errors: "edit" if there is none or more than one.
Result<const lang::Design*> design_of(const Program& program);
/// Return the program's own unit of this name; null if there is none.
lang::Unit* find_unit(Program& program, std::string_view name);
const lang::Unit* find_unit(const Program& program, std::string_view name);

}  // namespace gabbro::edit
