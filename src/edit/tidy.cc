// The last steps of every edit: removes unread parts and checks the program.
#include <algorithm>
#include <set>

#include "edit/edit.h"
#include "edit/values.h"
#include "lang/check.h"
#include "lang/printer.h"

namespace gabbro::edit {

namespace {

using edit::names_in;  // the overload for expressions
using lang::Hyper;
using lang::Unit;

// Returns true if `name` is read in `body` outside `stmt`, which is part of `body`.
bool read_outside(const std::vector<Stmt>& body, const Stmt& stmt, std::string_view name) {
  int all = 0;
  for (const Stmt& s : body) all += count_mentions(s, name);
  return all > count_mentions(stmt, name);
}

// Removes unread statements of `block`, which is nested in `body` at any depth. `carried` are the states and
// carried values of the scans and loops around it, whose assignments stay. Returns true if something changed.
bool prune(std::vector<Stmt>& block, const std::vector<Stmt>& body, const std::vector<std::string>& carried) {
  bool changed = false;
  const auto is_carried = [&](const std::string& name) {
    return std::find(carried.begin(), carried.end(), name) != carried.end();
  };
  for (std::size_t i = 0; i < block.size(); ++i) {
    Stmt& s = block[i];
    bool dead = false;
    switch (s.kind) {
      case Stmt::Kind::kAssign: {
        dead = true;
        for (Expr& target : s.targets) {
          const bool read = is_carried(target.text) || mentions(body, target.text);
          dead = dead && !read;
          if (!read && target.text != "_" && s.targets.size() > 1) {
            target = Expr{};
            target.kind = Expr::Kind::kName;
            target.text = "_";
            changed = true;
          }
        }
        break;
      }
      case Stmt::Kind::kShare:
        dead = !mentions(body, s.names[0]);
        break;
      case Stmt::Kind::kAxis:
        for (std::size_t n = 0; n < s.names.size(); ++n)
          if (!mentions(body, s.names[n])) {
            s.names.erase(s.names.begin() + static_cast<std::ptrdiff_t>(n));
            s.values.erase(s.values.begin() + static_cast<std::ptrdiff_t>(n--));
            changed = true;
          }
        dead = s.names.empty();
        break;
      case Stmt::Kind::kScan:
      case Stmt::Kind::kFor: {
        std::vector<std::string> inner = carried;
        // The first name of a loop is its index.
        const std::size_t first = s.kind == Stmt::Kind::kFor ? 1 : 0;
        inner.insert(inner.end(), s.names.begin() + static_cast<std::ptrdiff_t>(first), s.names.end());
        const std::vector<std::string> results = assigned(s);
        dead = s.body.empty() || std::none_of(results.begin(), results.end(), [&](const std::string& name) {
                 return is_carried(name) || read_outside(body, s, name);
               });
        if (!dead) changed = prune(s.body, body, inner) || changed;
        break;
      }
      case Stmt::Kind::kReturn:
        break;
    }
    if (!dead) continue;
    block.erase(block.begin() + static_cast<std::ptrdiff_t>(i--));
    changed = true;
  }
  return changed;
}

// Removes the argument `hyper` from every instance of `unit`.
void drop_argument(Expr& e, const std::string& unit, const std::string& hyper) {
  for (Expr& arg : e.args) drop_argument(arg, unit, hyper);
  if (e.kind != Expr::Kind::kCall || e.text != unit) return;
  for (std::size_t i = 0; i < e.args.size(); ++i)
    if (e.keywords[i] == hyper) {
      e.args.erase(e.args.begin() + static_cast<std::ptrdiff_t>(i));
      e.keywords.erase(e.keywords.begin() + static_cast<std::ptrdiff_t>(i--));
    }
  if (e.args.empty()) e.kind = Expr::Kind::kName;
}

void drop_argument(std::vector<Stmt>& block, const std::string& unit, const std::string& hyper) {
  for (Stmt& s : block) {
    for (Expr& value : s.values) drop_argument(value, unit, hyper);
    drop_argument(s.body, unit, hyper);
  }
}

void drop_argument(Program& program, const std::string& unit, const std::string& hyper) {
  for (lang::Item& item : program.items) {
    if (auto* d = std::get_if<lang::Design>(&item.value)) {
      drop_argument(d->stack, unit, hyper);
      for (auto& share : d->shares) drop_argument(share.instance, unit, hyper);
    } else if (auto* u = std::get_if<Unit>(&item.value)) {
      drop_argument(u->body, unit, hyper);
      for (Hyper& h : u->hypers)
        if (h.value) drop_argument(*h.value, unit, hyper);
    }
  }
}

// Removes unread hyperparameters of a unit, and the arguments that set them. Returns true if something
// changed.
bool prune_hypers(Program& program, Unit& unit) {
  bool changed = false;
  for (std::size_t i = 0; i < unit.hypers.size(); ++i) {
    const std::string name = unit.hypers[i].name;
    const bool in_defaults = std::any_of(unit.hypers.begin(), unit.hypers.end(), [&](const Hyper& h) {
      return h.name != name && h.value && mentions(*h.value, name);
    });
    if (in_defaults || mentions(unit.body, name)) continue;
    unit.hypers.erase(unit.hypers.begin() + static_cast<std::ptrdiff_t>(i--));
    drop_argument(program, unit.name, name);
    changed = true;
  }
  return changed;
}

void names_in(const std::vector<Stmt>& block, std::set<std::string>& out) {
  for (const Stmt& s : block) {
    for (const Expr& value : s.values) names_in(value, out);
    names_in(s.body, out);
  }
}

std::set<std::string> names_in(const lang::Item& item) {
  std::set<std::string> out;
  if (const auto* d = std::get_if<lang::Design>(&item.value)) {
    names_in(d->stack, out);
    for (const auto& share : d->shares) names_in(share.instance, out);
  } else if (const auto* u = std::get_if<Unit>(&item.value)) {
    names_in(u->body, out);
    for (const Hyper& h : u->hypers) {
      out.insert(h.interface);
      if (h.value) names_in(*h.value, out);
    }
  } else if (const auto* f = std::get_if<lang::Function>(&item.value)) {
    names_in(f->body, out);
    for (const auto& p : f->params)
      if (p.value) names_in(*p.value, out);
  }
  return out;
}

// Removes items that no design reaches. A program without a design keeps all items.
void prune_items(Program& program) {
  std::set<std::string> reached;
  for (const lang::Item& item : program.items)
    if (std::holds_alternative<lang::Design>(item.value)) reached.insert(lang::item_name(item));
  if (reached.empty()) return;
  for (std::size_t before = 0; before != reached.size();) {
    before = reached.size();
    for (const lang::Item& item : program.items)
      if (reached.contains(lang::item_name(item))) reached.merge(names_in(item));
  }
  std::erase_if(program.items,
                [&](const lang::Item& item) { return !reached.contains(lang::item_name(item)); });
}

// Removes shared instances that nothing uses. Later ones may use earlier ones, so they come first.
void prune_shares(lang::Design& design) {
  for (std::size_t i = design.shares.size(); i-- > 0;) {
    const std::string& name = design.shares[i].name;
    const bool read = mentions(design.stack, name) ||
                      std::any_of(design.shares.begin(), design.shares.end(),
                                  [&](const auto& other) { return mentions(other.instance, name); });
    if (!read) design.shares.erase(design.shares.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace

std::vector<std::string> assigned(const Stmt& stmt) {
  std::vector<std::string> out;
  for (const Expr& target : stmt.targets) out.push_back(target.text);
  if (stmt.kind == Stmt::Kind::kScan || stmt.kind == Stmt::Kind::kShare || stmt.kind == Stmt::Kind::kAxis)
    out.insert(out.end(), stmt.names.begin(), stmt.names.end());
  if (stmt.kind == Stmt::Kind::kFor) out.insert(out.end(), stmt.names.begin() + 1, stmt.names.end());
  for (const Stmt& inner : stmt.body)
    for (std::string& name : assigned(inner)) out.push_back(std::move(name));
  return out;
}

void tidy(Program& program) {
  for (bool changed = true; changed;) {
    changed = false;
    for (lang::Item& item : program.items)
      if (auto* unit = std::get_if<Unit>(&item.value))
        changed = prune(unit->body, unit->body, {}) || prune_hypers(program, *unit) || changed;
  }
  for (lang::Item& item : program.items)
    if (auto* design = std::get_if<lang::Design>(&item.value)) prune_shares(*design);
  prune_items(program);
}

Result<Program> accept(Program program, const Against& against) {
  lang::CheckReport report = lang::check(std::move(program), against.library);
  if (report.valid()) {
    Program accepted = std::move(report.program);
    if (against.report) *against.report = std::move(report);
    return accepted;
  }
  // Checks the printed text, so that positions refer to the text that the reader sees.
  lang::CheckReport printed = lang::check(lang::print(report.program), against.library);
  if (printed.valid()) printed.errors = std::move(report.errors);
  Error first = printed.errors[0];
  if (against.report) *against.report = std::move(printed);
  return tl::unexpected(std::move(first));
}

Result<const lang::Design*> design_of(const Program& program) {
  const lang::Design* found = nullptr;
  for (const lang::Item& item : program.items)
    if (const auto* design = std::get_if<lang::Design>(&item.value)) {
      if (found) return fail("edit", "the program has several designs");
      found = design;
    }
  if (!found) return fail("edit", "the program has no design");
  return found;
}

lang::Unit* find_unit(Program& program, std::string_view name) {
  for (lang::Item& item : program.items)
    if (auto* unit = std::get_if<Unit>(&item.value); unit && unit->name == name) return unit;
  return nullptr;
}

const lang::Unit* find_unit(const Program& program, std::string_view name) {
  return find_unit(const_cast<Program&>(program), name);
}

}  // namespace gabbro::edit
