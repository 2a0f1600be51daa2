// Edits statements and expressions of one unit.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "edit/build.h"
#include "edit/edit.h"

namespace gabbro::edit {

using lang::Unit;

namespace {

void list_statements(const std::vector<Stmt>& block, Spot here, std::vector<Spot>& out) {
  here.path.push_back(0);
  for (std::size_t i = 0; i < block.size(); ++i) {
    here.path.back() = static_cast<int>(i);
    out.push_back(here);
    list_statements(block[i].body, here, out);
  }
}

void list_expressions(const Expr& e, ExprSpot here, std::vector<ExprSpot>& out) {
  out.push_back(here);
  here.path.push_back(0);
  for (std::size_t i = 0; i < e.args.size(); ++i) {
    here.path.back() = static_cast<int>(i);
    list_expressions(e.args[i], here, out);
  }
}

// Returns the block that holds the statement, or null.
std::vector<Stmt>* block_of(Unit& unit, const Spot& spot) {
  std::vector<Stmt>* block = &unit.body;
  for (std::size_t level = 0; level < spot.path.size(); ++level) {
    const int i = spot.path[level];
    if (i < 0 || static_cast<std::size_t>(i) >= block->size()) return nullptr;
    if (level + 1 == spot.path.size()) return block;
    block = &(*block)[static_cast<std::size_t>(i)].body;
  }
  return nullptr;
}

Stmt* stmt_at(Unit& unit, const Spot& spot) {
  std::vector<Stmt>* block = block_of(unit, spot);
  return block ? &(*block)[static_cast<std::size_t>(spot.path.back())] : nullptr;
}

Expr* expr_at(Unit& unit, const ExprSpot& spot) {
  Stmt* stmt = stmt_at(unit, spot.stmt);
  if (!stmt || spot.path.empty()) return nullptr;
  std::vector<Expr>* list = &stmt->values;
  Expr* expr = nullptr;
  for (const int i : spot.path) {
    if (i < 0 || static_cast<std::size_t>(i) >= list->size()) return nullptr;
    expr = &(*list)[static_cast<std::size_t>(i)];
    list = &expr->args;
  }
  return expr;
}

std::string path_of(const Spot& spot) {
  std::string path = spot.unit;
  for (const int i : spot.path) path += fmt::format(".{}", i);
  return path;
}

tl::unexpected<Error> no_expression(const ExprSpot& spot) {
  std::string path;
  for (const int i : spot.path) path += fmt::format("{}{}", path.empty() ? "" : ".", i);
  return fail("place", fmt::format("there is no expression {} in {}", path, path_of(spot.stmt)));
}

// Applies `change` to a copy of the program's unit with the statement `spot`, then removes what is unread and
// checks the program.
template <class F>
Result<Program> edited(const Program& program, const Against& against, const Spot& spot, F&& change) {
  Program copy = program;
  Unit* unit = find_unit(copy, spot.unit);
  if (!unit)
    return fail("place", fmt::format("there is no unit {} in the program", spot.unit),
                "adopt the unit first: only the program's own units can be edited");
  if (!stmt_at(*unit, spot)) return fail("place", fmt::format("unknown place '{}'", path_of(spot)));
  if (Result<bool> ok = change(*unit); !ok) return tl::unexpected(ok.error());
  tidy(copy);
  return accept(std::move(copy), against);
}

// Replaces all reads of `name` in the block by `with`.
void substitute(std::vector<Stmt>& block, const std::string& name, const Expr& with) {
  const auto replace_in = [&](Expr& e, const auto& self) -> void {
    if (e.kind == Expr::Kind::kName && e.text == name) {
      e = with;
      return;
    }
    for (Expr& arg : e.args) self(arg, self);
  };
  for (Stmt& s : block) {
    for (Expr& value : s.values) replace_in(value, replace_in);
    substitute(s.body, name, with);
  }
}

}  // namespace

std::vector<Spot> statements(const Unit& unit) {
  std::vector<Spot> out;
  list_statements(unit.body, {unit.name, {}}, out);
  return out;
}

std::vector<ExprSpot> expressions(const Unit& unit) {
  std::vector<ExprSpot> out;
  for (const Spot& spot : statements(unit)) {
    const Stmt* stmt = find(unit, spot);
    for (std::size_t i = 0; i < stmt->values.size(); ++i)
      list_expressions(stmt->values[i], {spot, {static_cast<int>(i)}}, out);
  }
  return out;
}

const Stmt* find(const Unit& unit, const Spot& spot) { return stmt_at(const_cast<Unit&>(unit), spot); }
const Expr* find(const Unit& unit, const ExprSpot& spot) { return expr_at(const_cast<Unit&>(unit), spot); }

Result<Program> replace_statement(const Program& program, const Against& against, const Spot& spot,
                                  const std::vector<Stmt>& replacement) {
  return edited(program, against, spot, [&](Unit& unit) -> Result<bool> {
    std::vector<Stmt>& block = *block_of(unit, spot);
    const auto at = block.erase(block.begin() + spot.path.back());
    block.insert(at, replacement.begin(), replacement.end());
    return true;
  });
}

Result<Program> delete_statement(const Program& program, const Against& against, const Spot& spot,
                                 const std::vector<Expr>& stand_in) {
  return edited(program, against, spot, [&](Unit& unit) -> Result<bool> {
    std::vector<Stmt>& block = *block_of(unit, spot);
    const Stmt gone = block[static_cast<std::size_t>(spot.path.back())];
    if (gone.kind == Stmt::Kind::kReturn)
      return fail("edit", "the return statement of a unit cannot be removed");
    const std::vector<std::string> names = assigned(gone);
    if (stand_in.size() != names.size())
      return fail("edit", fmt::format("{} names need a replacement, but {} are given", names.size(),
                                      stand_in.size()));
    block.erase(block.begin() + spot.path.back());
    for (std::size_t i = 0; i < names.size(); ++i) substitute(unit.body, names[i], stand_in[i]);
    return true;
  });
}

Result<Program> replace_expression(const Program& program, const Against& against, const ExprSpot& spot,
                                   const Expr& replacement, const std::vector<Stmt>& before) {
  return edited(program, against, spot.stmt, [&](Unit& unit) -> Result<bool> {
    Expr* expr = expr_at(unit, spot);
    if (!expr) return no_expression(spot);
    *expr = replacement;
    std::vector<Stmt>& block = *block_of(unit, spot.stmt);
    block.insert(block.begin() + spot.stmt.path.back(), before.begin(), before.end());
    return true;
  });
}

Result<Program> swap_operator(const Program& program, const Against& against, const ExprSpot& spot,
                              const std::string& name) {
  return edited(program, against, spot.stmt, [&](Unit& unit) -> Result<bool> {
    Expr* expr = expr_at(unit, spot);
    if (!expr) return no_expression(spot);
    if (expr->kind != Expr::Kind::kBinary && expr->kind != Expr::Kind::kCall)
      return fail("edit", "there is neither an operator nor a call at this place");
    if (expr->text == name) return fail("edit", fmt::format("it is already {}", name));
    expr->text = name;
    return true;
  });
}

Result<Program> step_constant(const Program& program, const Against& against, const ExprSpot& spot,
                              double factor) {
  return edited(program, against, spot.stmt, [&](Unit& unit) -> Result<bool> {
    Expr* expr = expr_at(unit, spot);
    if (!expr) return no_expression(spot);
    if (expr->kind != Expr::Kind::kNumber) return fail("edit", "there is no number at this place");
    const double old = expr->number;
    if (old == std::floor(old)) {
      expr->number = std::round(old * factor);
      if (expr->number == old) expr->number = old + (factor > 1 ? 1 : -1);
    } else {
      // Rounds to three significant digits, which suffice and keep the text readable.
      const double scale = std::pow(10, 2 - std::floor(std::log10(std::abs(old * factor))));
      expr->number = std::round(old * factor * scale) / scale;
    }
    // A literal 0 may have been decremented.
    if (expr->number < 0) return fail("edit", "a literal cannot be negative");
    return true;
  });
}

}  // namespace gabbro::edit
