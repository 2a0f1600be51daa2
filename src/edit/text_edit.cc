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
  here.at.push_back(0);
  for (std::size_t i = 0; i < block.size(); ++i) {
    here.at.back() = static_cast<int>(i);
    out.push_back(here);
    list_statements(block[i].body, here, out);
  }
}

void list_expressions(const Expr& e, ExprSpot here, std::vector<ExprSpot>& out) {
  out.push_back(here);
  here.at.push_back(0);
  for (std::size_t i = 0; i < e.args.size(); ++i) {
    here.at.back() = static_cast<int>(i);
    list_expressions(e.args[i], here, out);
  }
}

// Returns the block that holds the statement, or null.
std::vector<Stmt>* block_of(Unit& unit, const Spot& spot) {
  std::vector<Stmt>* block = &unit.body;
  for (std::size_t level = 0; level < spot.at.size(); ++level) {
    const int i = spot.at[level];
    if (i < 0 || static_cast<std::size_t>(i) >= block->size()) return nullptr;
    if (level + 1 == spot.at.size()) return block;
    block = &(*block)[static_cast<std::size_t>(i)].body;
  }
  return nullptr;
}

Stmt* stmt_at(Unit& unit, const Spot& spot) {
  std::vector<Stmt>* block = block_of(unit, spot);
  return block ? &(*block)[static_cast<std::size_t>(spot.at.back())] : nullptr;
}

Expr* expr_at(Unit& unit, const ExprSpot& spot) {
  Stmt* stmt = stmt_at(unit, spot.stmt);
  if (!stmt || spot.at.empty()) return nullptr;
  std::vector<Expr>* list = &stmt->values;
  Expr* at = nullptr;
  for (const int i : spot.at) {
    if (i < 0 || static_cast<std::size_t>(i) >= list->size()) return nullptr;
    at = &(*list)[static_cast<std::size_t>(i)];
    list = &at->args;
  }
  return at;
}

tl::unexpected<Error> no_place(const Spot& spot) {
  std::string at = spot.unit;
  for (const int i : spot.at) at += fmt::format(".{}", i);
  return fail("place", fmt::format("there is no place {}", at),
              "adopt the unit first: only the program's own units can be edited");
}

template <class F>
Result<Program> edited(const Program& program, const Against& against, const Spot& spot, F&& change) {
  Program copy = program;
  Unit* unit = find_unit(copy, spot.unit);
  if (!unit || !stmt_at(*unit, spot)) return no_place(spot);
  if (Result<bool> ok = change(*unit); !ok) return tl::unexpected(ok.error());
  tidy(copy);
  return accept(std::move(copy), against);
}

void substitute(std::vector<Stmt>& block, const std::string& name, const Expr& with) {
  const auto in = [&](Expr& e, const auto& self) -> void {
    if (e.kind == Expr::Kind::kName && e.text == name) {
      e = with;
      return;
    }
    for (Expr& arg : e.args) self(arg, self);
  };
  for (Stmt& s : block) {
    for (Expr& value : s.values) in(value, in);
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
                                  const std::vector<Stmt>& with) {
  return edited(program, against, spot, [&](Unit& unit) -> Result<bool> {
    std::vector<Stmt>& block = *block_of(unit, spot);
    const auto at = block.erase(block.begin() + spot.at.back());
    block.insert(at, with.begin(), with.end());
    return true;
  });
}

Result<Program> insert_statement(const Program& program, const Against& against, const Spot& spot,
                                 const std::vector<Stmt>& added) {
  return edited(program, against, spot, [&](Unit& unit) -> Result<bool> {
    std::vector<Stmt>& block = *block_of(unit, spot);
    block.insert(block.begin() + spot.at.back(), added.begin(), added.end());
    return true;
  });
}

Result<Program> delete_statement(const Program& program, const Against& against, const Spot& spot,
                                 const std::vector<Expr>& stand_in) {
  return edited(program, against, spot, [&](Unit& unit) -> Result<bool> {
    std::vector<Stmt>& block = *block_of(unit, spot);
    const Stmt gone = block[static_cast<std::size_t>(spot.at.back())];
    if (gone.kind == Stmt::Kind::kReturn)
      return fail("edit", "the return statement of a unit cannot be removed");
    const std::vector<std::string> names = assigned(gone);
    if (stand_in.size() != names.size())
      return fail("edit", fmt::format("{} names need a replacement, but {} are given", names.size(),
                                      stand_in.size()));
    block.erase(block.begin() + spot.at.back());
    for (std::size_t i = 0; i < names.size(); ++i) substitute(unit.body, names[i], stand_in[i]);
    return true;
  });
}

Result<Program> replace_expression(const Program& program, const Against& against, const ExprSpot& spot,
                                   const Expr& with, const std::vector<Stmt>& before) {
  return edited(program, against, spot.stmt, [&](Unit& unit) -> Result<bool> {
    Expr* at = expr_at(unit, spot);
    if (!at) return no_place(spot.stmt);
    *at = with;
    std::vector<Stmt>& block = *block_of(unit, spot.stmt);
    block.insert(block.begin() + spot.stmt.at.back(), before.begin(), before.end());
    return true;
  });
}

Result<Program> swap_operator(const Program& program, const Against& against, const ExprSpot& spot,
                              const std::string& name) {
  return edited(program, against, spot.stmt, [&](Unit& unit) -> Result<bool> {
    Expr* at = expr_at(unit, spot);
    if (!at) return no_place(spot.stmt);
    if (at->kind != Expr::Kind::kBinary && at->kind != Expr::Kind::kCall)
      return fail("edit", "there is neither an operator nor a call at this place");
    if (at->text == name) return fail("edit", fmt::format("it is already {}", name));
    at->text = name;
    return true;
  });
}

Result<Program> step_constant(const Program& program, const Against& against, const ExprSpot& spot,
                              double factor) {
  return edited(program, against, spot.stmt, [&](Unit& unit) -> Result<bool> {
    Expr* at = expr_at(unit, spot);
    if (!at) return no_place(spot.stmt);
    if (at->kind != Expr::Kind::kNumber) return fail("edit", "there is no number at this place");
    const double old = at->number;
    if (old == std::floor(old)) {
      at->number = std::round(old * factor);
      if (at->number == old) at->number = old + (factor > 1 ? 1 : -1);
    } else {
      // Three digits suffice and keep the text readable.
      const double scale = std::pow(10, 2 - std::floor(std::log10(std::abs(old * factor))));
      at->number = std::round(old * factor * scale) / scale;
    }
    if (at->number < 0) return fail("edit", "a literal cannot be negative");
    return true;
  });
}

}  // namespace gabbro::edit
