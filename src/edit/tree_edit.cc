// Edits the tree of a design: finds places by path and changes them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "edit/build.h"
#include "edit/edit.h"
#include "edit/values.h"
#include "edit/vary_text.h"
#include "lang/printer.h"

namespace gabbro::edit {

using lang::Design;
using lang::Hyper;
using lang::Unit;

namespace {

bool is_repetition(const Expr& e) { return e.kind == Expr::Kind::kBinary && e.text == "*"; }

const Unit* unit_named(const Program& program, const Library& library, const std::string& name) {
  const Unit* own = find_unit(program, name);
  return own ? own : library.unit(name);
}

// Returns the steps of a path.
std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> steps;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t end = std::min(path.find('.', from), path.size());
    steps.push_back(path.substr(from, end - from));
    from = end + 1;
  }
  return steps;
}

// Return a path without its last step, and that step; both return a path of one step as it is.
std::string parent_path(const std::string& path) { return path.substr(0, path.rfind('.')); }
std::string last_step(const std::string& path) { return path.substr(path.rfind('.') + 1); }

// Requires that the program has a design (design_of).
Design& design_in(Program& program) {
  for (lang::Item& item : program.items)
    if (auto* design = std::get_if<Design>(&item.value)) return *design;
  GABBRO_CHECK(false);
}

// Returns the index that a step of a path writes; nullopt if it is not a number.
std::optional<std::size_t> parse_index(const std::string& text) {
  std::size_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(n) : std::nullopt;
}

// Goes one step down. A default is written out as an argument on the way, so that it can be edited.
Result<Expr*> descend(Expr& at, const std::string& step, const Program& program, const Library& library,
                      const std::string& path) {
  const auto none = [&](const std::string& why, const std::string& hint = {}) {
    return fail("place", fmt::format("unknown place '{}': {}", path, why), hint);
  };
  if (at.kind == Expr::Kind::kList) {
    const auto i = parse_index(step);
    if (!i || *i >= at.args.size())
      return none(fmt::format("a list of {} has no element '{}'", at.args.size(), step),
                  fmt::format("write an index from 0 to {}", at.args.size() - 1));
    return &at.args[*i];
  }
  if (is_repetition(at))
    return step == "*"
               ? Result<Expr*>(&at.args[1])
               : none(fmt::format("a repetition has no part '{}'", step), "write * for the repeated unit");
  const Unit* unit = unit_named(program, library, at.text);
  if (!unit) return none(at.text + " is not a unit", "edit a shared instance under its own name");
  const auto hyper = std::find_if(unit->hypers.begin(), unit->hypers.end(), [&](const Hyper& h) {
    return h.kind == Hyper::Kind::kSlot && h.name == step;
  });
  if (hyper == unit->hypers.end()) {
    std::string slots;
    for (const Hyper& h : unit->hypers)
      if (h.kind == Hyper::Kind::kSlot) slots += (slots.empty() ? "" : ", ") + h.name;
    return none(fmt::format("{} has no slot '{}'", unit->name, step),
                slots.empty() ? "it has no slots: end the path before it" : "its slots are " + slots);
  }
  for (std::size_t i = 0; i < at.args.size(); ++i)
    if (at.keywords[i] == step) return &at.args[i];
  if (!hyper->value) return none(fmt::format("slot {} of {} is empty", step, unit->name));
  at = build::with(std::move(at), step, *hyper->value);
  return &at.args.back();
}

// Returns the expression at `path` of a design that is being changed.
Result<Expr*> reach(Program& program, const Library& library, const std::string& path) {
  if (auto one = design_of(program); !one) return tl::unexpected(one.error());
  Design& design = design_in(program);
  const std::vector<std::string> steps = split(path);
  Expr* at = nullptr;
  if (steps[0] == "stack") at = &design.stack;
  for (auto& share : design.shares)
    if (share.name == steps[0]) at = &share.instance;
  if (!at)
    return fail("place",
                path.empty() ? "the path of a place is empty"
                             : fmt::format("unknown place '{}': unknown name '{}'", path, steps[0]),
                "start the path with stack or with the name of a shared instance, as in stack.0.*.mixer");
  for (std::size_t i = 1; i < steps.size(); ++i) {
    auto next = descend(*at, steps[i], program, library, path);
    if (!next) return next;
    at = *next;
  }
  return at;
}

// Ends an edit.
Result<Program> finish(Program program, const Against& against) {
  tidy(program);
  return accept(std::move(program), against);
}

// Applies `change` to the expression at `path` in a copy of the program.
template <class F>
Result<Program> edited(const Program& program, const Against& against, const std::string& path, F&& change) {
  Program copy = program;
  GABBRO_TRY(at, reach(copy, against.library, path));
  if (Result<bool> ok = change(*at); !ok) return tl::unexpected(ok.error());
  return finish(std::move(copy), against);
}

constexpr int kDefaultsShown = 2;  // levels of defaults that `places` lists

// Lists the places of a tree.
struct Walk {
  const Program& program;
  const Library& library;
  std::vector<TreePlace>& out;

  // `defaults` is the number of defaults on the way from the root to `e`.
  void down(const Expr& e, const std::string& path, const Unit* owner, const std::string& slot,
            int defaults) {
    out.push_back({.path = path, .instance = e, .written = defaults == 0, .owner = owner, .slot = slot});
    if (e.kind == Expr::Kind::kList) {
      for (std::size_t i = 0; i < e.args.size(); ++i)
        down(e.args[i], fmt::format("{}.{}", path, i), nullptr, "", defaults);
      return;
    }
    if (is_repetition(e)) return down(e.args[1], path + ".*", nullptr, "", defaults);
    const Unit* unit = unit_named(program, library, e.text);
    if (!unit) return;
    for (const Hyper& h : unit->hypers) {
      if (h.kind != Hyper::Kind::kSlot) continue;
      const auto given = std::find(e.keywords.begin(), e.keywords.end(), h.name);
      const std::string child = path + "." + h.name;
      if (given != e.keywords.end())
        down(e.args[static_cast<std::size_t>(given - e.keywords.begin())], child, unit, h.name, defaults);
      else if (h.value && defaults < kDefaultsShown)
        down(*h.value, child, unit, h.name, defaults + 1);
    }
  }
};

// ---- Moving items between programs ----

// Renames what has a new name in `names`.
void rename(Expr& e, const std::map<std::string, std::string>& names) {
  if (e.kind == Expr::Kind::kName || e.kind == Expr::Kind::kCall)
    if (const auto at = names.find(e.text); at != names.end()) e.text = at->second;
  for (Expr& arg : e.args) rename(arg, names);
}

void rename(std::vector<Stmt>& block, const std::map<std::string, std::string>& names) {
  for (Stmt& s : block) {
    for (Expr& value : s.values) rename(value, names);
    rename(s.body, names);
  }
}

void rename(lang::Item& item, const std::map<std::string, std::string>& names) {
  const auto rename_one = [&](std::string& name) {
    if (const auto at = names.find(name); at != names.end()) name = at->second;
  };
  if (auto* u = std::get_if<Unit>(&item.value)) {
    rename_one(u->name);
    rename(u->body, names);
    for (Hyper& h : u->hypers) {
      rename_one(h.interface);
      if (h.value) rename(*h.value, names);
    }
  } else if (auto* f = std::get_if<lang::Function>(&item.value)) {
    rename_one(f->name);
    rename(f->body, names);
  } else if (auto* i = std::get_if<lang::Interface>(&item.value)) {
    rename_one(i->name);
  }
}

const lang::Item* item_named(const Program& program, const std::string& name) {
  for (const lang::Item& item : program.items)
    if (!std::holds_alternative<Design>(item.value) && lang::item_name(item) == name) return &item;
  return nullptr;
}

bool mentions_anywhere(const Program& program, const std::string& name) {
  return std::any_of(program.items.begin(), program.items.end(), [&](const lang::Item& item) {
    if (const auto* d = std::get_if<Design>(&item.value))
      return mentions(d->stack, name) ||
             std::any_of(d->shares.begin(), d->shares.end(), [&](const auto& share) {
               return share.name == name || mentions(share.instance, name);
             });
    if (const auto* u = std::get_if<Unit>(&item.value))
      return mentions(u->body, name) || std::any_of(u->hypers.begin(), u->hypers.end(), [&](const Hyper& h) {
               return h.interface == name || h.name == name || (h.value && mentions(*h.value, name));
             });
    if (const auto* f = std::get_if<lang::Function>(&item.value)) return mentions(f->body, name);
    return false;
  });
}

// Returns `stem`, without digits at its end, with the smallest number from 2 that makes it a name that
// neither program nor the library has.
std::string fresh_item_name(const Program& a, const Program& b, const Library& library, std::string stem) {
  while (!stem.empty() && (std::isdigit(static_cast<unsigned char>(stem.back())) != 0 || stem.back() == '_'))
    stem.pop_back();
  if (stem.empty()) stem = "Unit_";
  for (int i = 2;; ++i) {
    std::string name = stem + std::to_string(i);
    const bool taken = item_named(a, name) || item_named(b, name) || library.unit(name) ||
                       library.function(name) || library.interface(name) || mentions_anywhere(a, name);
    if (!taken) return name;
  }
}

// Replaces names of shared instances by the instances themselves.
void inline_shares(Expr& e, const Design& design) {
  for (Expr& arg : e.args) inline_shares(arg, design);
  if (e.kind != Expr::Kind::kName) return;
  for (const auto& share : design.shares)
    if (share.name == e.text) {
      Expr instance = share.instance;
      inline_shares(instance, design);
      e = std::move(instance);
      return;
    }
}

// Adds the names of the items of `donor` that an expression needs, directly or through other items.
void collect_items(const Expr& e, const Program& donor, std::set<std::string>& needed);

void collect_items(const std::vector<Stmt>& block, const Program& donor, std::set<std::string>& needed) {
  for (const Stmt& s : block) {
    for (const Expr& value : s.values) collect_items(value, donor, needed);
    collect_items(s.body, donor, needed);
  }
}

void collect_items(const std::string& name, const Program& donor, std::set<std::string>& needed) {
  const lang::Item* item = item_named(donor, name);
  if (!item || !needed.insert(name).second) return;
  if (const auto* u = std::get_if<Unit>(&item->value)) {
    collect_items(u->body, donor, needed);
    for (const Hyper& h : u->hypers) {
      collect_items(h.interface, donor, needed);
      if (h.value) collect_items(*h.value, donor, needed);
    }
  } else if (const auto* f = std::get_if<lang::Function>(&item->value)) {
    collect_items(f->body, donor, needed);
  }
}

void collect_items(const Expr& e, const Program& donor, std::set<std::string>& needed) {
  if (e.kind == Expr::Kind::kName || e.kind == Expr::Kind::kCall) collect_items(e.text, donor, needed);
  for (const Expr& arg : e.args) collect_items(arg, donor, needed);
}

// Copies the items of `donor` that `instance` needs before the design of `program`, and renames those whose
// names are taken.
void import_items(Program& program, const Library& library, const Program& donor, Expr& instance) {
  std::set<std::string> needed;
  collect_items(instance, donor, needed);
  std::map<std::string, std::string> names;
  std::vector<lang::Item> copies;
  for (const lang::Item& item : donor.items) {
    const std::string& name = lang::item_name(item);
    if (std::holds_alternative<Design>(item.value) || !needed.contains(name)) continue;
    const lang::Item* own_item = item_named(program, name);
    if (own_item && lang::print(*own_item) == lang::print(item)) continue;
    if (own_item || mentions_anywhere(program, name))
      names[name] = fresh_item_name(program, donor, library, name);
    copies.push_back(item);
  }
  for (lang::Item& item : copies) rename(item, names);
  rename(instance, names);
  program.items.insert(program.items.begin(), std::make_move_iterator(copies.begin()),
                       std::make_move_iterator(copies.end()));
}

}  // namespace

std::vector<TreePlace> places(const Program& program, const Library& library) {
  std::vector<TreePlace> out;
  const auto design = design_of(program);
  if (!design) return out;
  Walk walk{program, library, out};
  walk.down((*design)->stack, "stack", nullptr, "", 0);
  for (const auto& share : (*design)->shares) walk.down(share.instance, share.name, nullptr, "", 0);
  return out;
}

Result<Expr> subtree(const Program& program, const Library& library, const std::string& path) {
  Program copy = program;
  GABBRO_TRY(at, reach(copy, library, path));
  return *at;
}

Result<Program> replace_subtree(const Program& program, const Against& against, const std::string& path,
                                const Expr& instance) {
  return edited(program, against, path, [&](Expr& at) -> Result<bool> {
    at = instance;
    return true;
  });
}

Result<Program> crossover(const Program& program, const Against& against, const std::string& path,
                          const Program& donor, const std::string& donor_path) {
  GABBRO_TRY(instance, subtree(donor, against.library, donor_path));
  GABBRO_TRY(design, design_of(donor));
  inline_shares(instance, *design);
  Program copy = program;
  import_items(copy, against.library, donor, instance);
  GABBRO_TRY(at, reach(copy, against.library, path));
  *at = std::move(instance);
  return finish(std::move(copy), against);
}

Result<Program> wrap(const Program& program, const Against& against, const std::string& path, Expr outer,
                     const std::string& slot) {
  if (outer.kind != Expr::Kind::kName && outer.kind != Expr::Kind::kCall)
    return fail("edit", lang::print(outer) + " is not a unit", "wrap it in a unit; only units have slots");
  return edited(program, against, path, [&](Expr& at) -> Result<bool> {
    at = build::with(std::move(outer), slot, std::move(at));
    return true;
  });
}

Result<Program> insert(const Program& program, const Against& against, const std::string& path,
                       const Expr& instance) {
  if (const auto i = parse_index(last_step(path)); i && path.find('.') != std::string::npos)
    return edited(program, against, parent_path(path), [&](Expr& at) -> Result<bool> {
      if (at.kind != Expr::Kind::kList || *i >= at.args.size())
        return fail("place",
                    fmt::format("unknown place '{}': the list has {} elements", path, at.args.size()),
                    "write an index of the list");
      at.args.insert(at.args.begin() + static_cast<std::ptrdiff_t>(*i) + 1, instance);
      return true;
    });
  return edited(program, against, path, [&](Expr& at) -> Result<bool> {
    if (at.kind == Expr::Kind::kList)
      at.args.push_back(instance);
    else
      at = build::list({std::move(at), instance});
    return true;
  });
}

Result<Program> remove(const Program& program, const Against& against, const std::string& path) {
  const std::string up = parent_path(path);
  const bool is_root = up == path;
  if (!is_root && parse_index(last_step(path))) {
    return edited(program, against, up, [&](Expr& at) -> Result<bool> {
      const std::size_t i = *parse_index(last_step(path));
      if (at.kind != Expr::Kind::kList || i >= at.args.size())
        return fail("place",
                    fmt::format("unknown place '{}': the list has {} elements", path, at.args.size()),
                    "write an index of the list");
      if (at.args.size() == 1) return fail("edit", "the only element of a list cannot be removed");
      at.args.erase(at.args.begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    });
  }
  return edited(program, against, path, [&](Expr& at) -> Result<bool> {
    if (is_repetition(at)) {
      if (at.args[0].kind != Expr::Kind::kNumber)
        return fail("edit", "the number of repetitions is not a literal");
      at.args[0].number -= 1;
      if (at.args[0].number < 2) {
        Expr one = std::move(at.args[1]);
        at = std::move(one);
      }
      return true;
    }
    if (at.kind == Expr::Kind::kList)
      return fail("edit", "a list cannot be removed as a whole, only element by element");
    if (at.text == "Identity") return fail("edit", "there is nothing to remove");
    for (std::size_t i = 0; i < at.args.size(); ++i) {
      const Unit* unit = unit_named(program, against.library, at.text);
      const auto hyper = std::find_if(unit->hypers.begin(), unit->hypers.end(),
                                      [&](const Hyper& h) { return h.name == at.keywords[i]; });
      if (hyper == unit->hypers.end() || hyper->kind != Hyper::Kind::kSlot) continue;
      Expr inner = std::move(at.args[i]);
      at = std::move(inner);
      return true;
    }
    at = build::name("Identity");
    return true;
  });
}

Result<Program> set_tied(const Program& program, const Against& against, bool tied) {
  if (auto one = design_of(program); !one) return tl::unexpected(one.error());
  Program copy = program;
  design_in(copy).tied.reset();  // two tables are the default
  if (tied) design_in(copy).tied = build::boolean(true);
  return finish(std::move(copy), against);
}

Result<Program> duplicate(const Program& program, const Against& against, const std::string& path) {
  return edited(program, against, path, [&](Expr& at) -> Result<bool> {
    if (is_repetition(at) && at.args[0].kind == Expr::Kind::kNumber)
      at.args[0].number += 1;
    else
      at = build::binary("*", build::num(2), std::move(at));
    return true;
  });
}

Result<Program> share(const Program& program, const Against& against, const std::string& path,
                      const std::string& other_path) {
  if (path != other_path && (other_path.starts_with(path + ".") || path.starts_with(other_path + ".")))
    return fail("edit", fmt::format("{} and {} overlap: one contains the other", path, other_path));
  Program copy = program;
  GABBRO_TRY(first, reach(copy, against.library, path));
  if (first->kind == Expr::Kind::kName && !unit_named(copy, against.library, first->text))
    return fail("edit", fmt::format("{} is already shared", path));
  Design& design = design_in(copy);
  std::string name = "core";
  for (int i = 2;
       mentions_anywhere(copy, name) || against.library.unit(name) || against.library.function(name); ++i)
    name = "core" + std::to_string(i);
  const Expr instance = *first;
  *first = build::name(name);
  if (other_path != path) {
    GABBRO_TRY(second, reach(copy, against.library, other_path));
    *second = build::name(name);
  }
  // A shared instance must stand before those that use it.
  std::size_t before = design.shares.size();
  for (const std::string& used : {split(path)[0], split(other_path)[0]})
    for (std::size_t i = 0; i < design.shares.size(); ++i)
      if (design.shares[i].name == used) before = std::min(before, i);
  design.shares.insert(design.shares.begin() + static_cast<std::ptrdiff_t>(before), {name, instance, {}});
  return finish(std::move(copy), against);
}

Result<Program> set_hyper(const Program& program, const Against& against, const std::string& path,
                          const std::string& hyper, const Expr& value) {
  return edited(program, against, path, [&](Expr& at) -> Result<bool> {
    if (at.kind != Expr::Kind::kName && at.kind != Expr::Kind::kCall)
      return fail("edit", path + " is not a unit", "name a unit; only units have hyperparameters");
    for (std::size_t i = 0; i < at.args.size(); ++i)
      if (at.keywords[i] == hyper) {
        at.args[i] = value;
        return true;
      }
    at = build::with(std::move(at), hyper, value);
    return true;
  });
}

Result<Program> adopt_unchecked(const Program& program, const Library& library, const std::string& path,
                                std::string& name) {
  Program copy = program;
  GABBRO_TRY(at, reach(copy, library, path));
  if (find_unit(program, at->text)) return fail("edit", at->text + " is already the program's own");
  const Unit* unit = library.unit(at->text);
  if (!unit || (at->kind != Expr::Kind::kName && at->kind != Expr::Kind::kCall))
    return fail("edit", path + " is not a unit of the library");
  Unit own = *unit;
  own.name = name = fresh_item_name(program, {}, library, unit->name);
  at->text = own.name;
  copy.items.insert(copy.items.begin(), lang::Item{std::move(own), {}, {}});
  tidy(copy);
  return copy;
}

Result<Program> adopt(const Program& program, const Against& against, const std::string& path) {
  std::string name;
  GABBRO_TRY(copy, adopt_unchecked(program, against.library, path, name));
  return accept(std::move(copy), against);
}

}  // namespace gabbro::edit
