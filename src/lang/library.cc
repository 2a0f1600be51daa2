#include "lang/library.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <set>

#include "lang/builtins.h"
#include "lang/lexer.h"

namespace gabbro::lang {

namespace {

// Returns the Levenshtein distance in half edits: a letter in the other case counts one, every other edit
// two.
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(2 * j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(2 * i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same_letter = std::tolower(static_cast<unsigned char>(a[i - 1])) ==
                               std::tolower(static_cast<unsigned char>(b[j - 1]));
      const int cost = a[i - 1] == b[j - 1] ? 0 : same_letter ? 1 : 2;
      const int next = std::min({row[j] + 2, row[j - 1] + 2, diagonal + cost});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

// Collects all names that a tree of expressions or statements calls or refers to.
void mentions(const Expr& expr, std::vector<std::string>& out) {
  if (expr.kind == Expr::Kind::kName || expr.kind == Expr::Kind::kCall) out.push_back(expr.text);
  for (const Expr& arg : expr.args) mentions(arg, out);
}
void mentions(const std::vector<Stmt>& block, std::vector<std::string>& out) {
  for (const Stmt& stmt : block) {
    for (const Expr& value : stmt.values) mentions(value, out);
    mentions(stmt.body, out);
  }
}

struct Definition {
  const Item* item;
  std::vector<std::string> uses;
};

std::vector<std::string> uses_of(const Item& item) {
  std::vector<std::string> out;
  if (const auto* fn = std::get_if<Function>(&item.value)) {
    mentions(fn->body, out);
  } else if (const auto* unit = std::get_if<Unit>(&item.value)) {
    mentions(unit->body, out);
    for (const Hyper& hyper : unit->hypers)
      if (hyper.value && hyper.kind == Hyper::Kind::kSlot) mentions(*hyper.value, out);
    // A slot or an input shadows a unit of the same name.
    std::erase_if(out, [&](const std::string& name) {
      return std::any_of(unit->hypers.begin(), unit->hypers.end(),
                         [&](const Hyper& h) { return h.name == name; });
    });
  }
  return out;
}

// Finds definitions that reach themselves, by depth-first search.
void find_cycles(const std::unordered_map<std::string, Definition>& definitions, std::vector<Error>& errors) {
  std::set<std::string> done;
  std::vector<std::string> path;
  const std::function<bool(const std::string&)> visit = [&](const std::string& name) {
    const auto at = definitions.find(name);
    if (at == definitions.end() || done.contains(name)) return true;
    if (const auto open = std::find(path.begin(), path.end(), name); open != path.end()) {
      std::string cycle;
      for (auto it = open; it != path.end(); ++it) cycle += *it + " -> ";
      errors.push_back({"recursion", fmt::format("{} contains itself: {}{}", name, cycle, name),
                        "a design is a finite tree; repeat with `for` or `12 * Unit` instead",
                        definitions.at(*open).item->at});
      return false;
    }
    path.push_back(name);
    bool ok = true;
    for (const std::string& used : at->second.uses)
      if (!(ok = visit(used))) break;
    path.pop_back();
    done.insert(name);
    return ok;
  };
  std::vector<std::pair<Position, std::string>> order;
  for (const auto& [name, definition] : definitions) order.emplace_back(definition.item->at, name);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.line, a.second) < std::pair(b.first.line, b.second);
  });
  for (const auto& [at, name] : order) visit(name);
}

// Says what stands in for a port with other axes.
std::string port_hint(const Port& port) {
  const auto is_like = [](const std::string& name, const char* known) {
    const Absent* absent = find_absent(name);
    return absent && absent->message == find_absent(known)->message;
  };
  const bool has_vocab = std::find(port.axes.begin(), port.axes.end(), "V") != port.axes.end();
  for (const char* known : {"V", "token_ids"})
    if ((has_vocab && known == std::string_view("V")) || is_like(port.name, known))
      return fmt::format("{}; {}", find_absent(known)->message, find_absent(known)->hint);
  return "write [t, D]; the batch does not appear, other axes are made inside: linear(x, [h, k]); a `fn` "
         "takes "
         "and returns values with any axes, such as a gate [t], heads [t, h, k] or scores [t, s]";
}

// Checks that units have ports [t, D] alone: no other axes can be guaranteed.
void check_ports(const std::vector<Port>& ports, std::vector<Error>& errors) {
  const std::vector<std::string> only{"t", "D"};
  for (const Port& port : ports) {
    if (port.axes == only) continue;
    std::string shown;
    for (const std::string& axis : port.axes) shown += (shown.empty() ? "" : ", ") + axis;
    const std::string name = port.name.empty() ? "the result" : port.name;
    errors.push_back({"type",
                      fmt::format("{} is declared as [{}], but units take and return [t, D]", name, shown),
                      port_hint(port), port.at});
  }
}

void check_results(const std::vector<Port>& outputs, std::vector<Error>& errors) {
  for (std::size_t i = 1; i < outputs.size(); ++i)
    for (std::size_t j = 1; j < i; ++j)
      if (outputs[i].name == outputs[j].name)
        errors.push_back({"duplicate", fmt::format("two results are named {}", outputs[i].name),
                          "give every result a name of its own", outputs[i].at});
}

}  // namespace

std::string closest(std::string_view name, const std::vector<std::string>& known) {
  std::string best;
  // Allows one edit in short names and two in longer ones. A single letter is one edit from every other, so
  // names of one letter have no match.
  int best_distance = name.size() < 4 ? 3 : 5;
  if (name.size() < 2 || name.size() > 64) return best;
  for (const std::string& candidate : known) {
    if (candidate.size() > name.size() + 2 || name.size() > candidate.size() + 2) continue;
    const int distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

// Replaces an entry together with its key, because the key is a view into the item itself.
template <class Table>
static void replace(Table& table, std::string_view name, typename Table::mapped_type item) {
  table.erase(name);
  table.emplace(name, item);
}

std::vector<Error> Library::add(const Program& program) {
  std::vector<Error> errors;
  std::unordered_map<std::string, Definition> definitions;
  for (const Item& item : program.items) {
    const std::string& name = item_name(item);
    if (is_builtin_name(name) || find_builtin(name)) {
      errors.push_back({"reserved", fmt::format("{} is a name of the language", name),
                        is_builtin_name(name)
                            ? reserved_hint()
                            : "functions of the language keep their names: choose another name",
                        item.at});
      continue;
    }
    if (const auto known = definitions.find(name); known != definitions.end()) {
      errors.push_back(
          {"duplicate",
           fmt::format("{} is defined twice; first on line {}", name, known->second.item->at.line),
           "rename one of them", item.at});
      continue;
    }
    definitions.emplace(name, Definition{&item, uses_of(item)});
    const auto check_signature = [&](const auto& signature) {
      check_ports(signature.inputs, errors);
      check_ports(signature.outputs, errors);
      check_results(signature.outputs, errors);
    };
    if (const auto* unit = std::get_if<Unit>(&item.value)) check_signature(*unit);
    if (const auto* interface = std::get_if<Interface>(&item.value)) check_signature(*interface);
  }
  find_cycles(definitions, errors);
  if (!errors.empty()) return errors;
  if (!own_names_.functions.empty() || !own_names_.interfaces.empty() || !own_names_.units.empty()) {
    Names all = *base_;
    for (const auto& [name, item] : own_names_.functions) replace(all.functions, name, item);
    for (const auto& [name, item] : own_names_.interfaces) replace(all.interfaces, name, item);
    for (const auto& [name, item] : own_names_.units) replace(all.units, name, item);
    base_ = std::make_shared<const Names>(std::move(all));
  }
  own_names_ = {};
  own_items_.clear();
  for (const Item& item : program.items) {
    std::visit([&](const auto& value) { own_items_.insert(&value); }, item.value);
    if (const auto* fn = std::get_if<Function>(&item.value)) own_names_.functions[fn->name] = fn;
    if (const auto* interface = std::get_if<Interface>(&item.value))
      own_names_.interfaces[interface->name] = interface;
    if (const auto* unit = std::get_if<Unit>(&item.value)) own_names_.units[unit->name] = unit;
  }
  return errors;
}

namespace {
template <class Table>
auto lookup(const Table& mine, const Table& base, std::string_view name, bool own) ->
    typename Table::mapped_type {
  if (own)
    if (const auto at = mine.find(name); at != mine.end()) return at->second;
  const auto at = base.find(name);
  return at == base.end() ? nullptr : at->second;
}
}  // namespace

const Function* Library::function(std::string_view name, bool own) const {
  return lookup(own_names_.functions, base_->functions, name, own);
}
const Interface* Library::interface(std::string_view name, bool own) const {
  return lookup(own_names_.interfaces, base_->interfaces, name, own);
}
const Unit* Library::unit(std::string_view name, bool own) const {
  return lookup(own_names_.units, base_->units, name, own);
}

std::vector<std::string> Library::unit_names() const {
  std::vector<std::string> names;
  for (const auto* table : {&own_names_.units, &base_->units})
    for (const auto& [name, unit] : *table) names.emplace_back(name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string Library::suggest(std::string_view name) const {
  std::vector<std::string> known = unit_names();
  for (const auto* table : {&own_names_.functions, &base_->functions})
    for (const auto& entry : *table) known.emplace_back(entry.first);
  for (const Builtin& b : builtins()) known.emplace_back(b.name);
  std::sort(known.begin(), known.end());
  return closest(name, known);
}

}  // namespace gabbro::lang
