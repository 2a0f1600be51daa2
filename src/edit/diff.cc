#include "edit/diff.h"

#include <algorithm>
#include <limits>
#include <variant>

#include "lang/printer.h"

namespace gabbro::edit {

using lang::Design;
using lang::Expr;
using lang::Function;
using lang::Hyper;
using lang::Interface;
using lang::Item;
using lang::Stmt;
using lang::Unit;

namespace {

Stmt without_comments(Stmt s) {
  s.comments.clear();
  s.trailing.clear();
  for (Stmt& inner : s.body) inner = without_comments(std::move(inner));
  return s;
}

std::string text_of(const Stmt& s) {
  std::string text = lang::print(without_comments(s));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// Returns the text of an item without comments.
std::string item_text(Item item) {
  item.comments.clear();
  const auto clean = [](std::vector<Stmt>& body) {
    for (Stmt& s : body) s = without_comments(std::move(s));
  };
  if (auto* u = std::get_if<Unit>(&item.value)) clean(u->body);
  if (auto* f = std::get_if<Function>(&item.value)) clean(f->body);
  return lang::print(item);
}

std::string label(const Item& item) {
  static constexpr const char* kKinds[] = {"fn ", "interface ", "unit ", "design "};
  return kKinds[item.value.index()] + lang::item_name(item);
}

// Returns a short description of a statement, for the reader and for the alignment.
std::string subject(const Stmt& s) {
  if (s.kind == Stmt::Kind::kReturn) return "return";
  if (s.kind == Stmt::Kind::kAxis) return "axis";
  std::string out = s.kind == Stmt::Kind::kScan ? "scan " : s.kind == Stmt::Kind::kFor ? "for " : "";
  bool first = true;
  for (const Expr& target : s.targets) {
    out += (first ? "" : ", ") + lang::print(target);
    first = false;
  }
  for (const std::string& name : s.names) {
    out += (first ? "" : ", ") + name;
    first = false;
  }
  return out;
}

// Returns a minimal alignment of two sequences as pairs of indices; -1 marks an element without a partner.
// `cost(i, j)` is 0 for equal elements, below 2 for elements that may be partners, and 2 or more for all
// others.
template <class Cost>
std::vector<std::pair<int, int>> align(int n, int m, const Cost& cost) {
  std::vector<std::vector<double>> best(n + 1, std::vector<double>(m + 1, 0));
  for (int i = n; i >= 0; --i)
    for (int j = m; j >= 0; --j) {
      if (i == n && j == m) continue;
      double least = std::numeric_limits<double>::infinity();
      if (i < n) least = std::min(least, 1 + best[i + 1][j]);
      if (j < m) least = std::min(least, 1 + best[i][j + 1]);
      if (i < n && j < m) least = std::min(least, cost(i, j) + best[i + 1][j + 1]);
      best[i][j] = least;
    }
  std::vector<std::pair<int, int>> out;
  for (int i = 0, j = 0; i < n || j < m;) {
    if (i < n && j < m && cost(i, j) < 2 && best[i][j] == cost(i, j) + best[i + 1][j + 1])
      out.emplace_back(i++, j++);
    else if (i < n && best[i][j] == 1 + best[i + 1][j])
      out.emplace_back(i++, -1);
    else
      out.emplace_back(-1, j++);
  }
  return out;
}

// Collects the changes of one item after the other.
class Differ {
 public:
  std::vector<Change> changes;
  std::string item;  // Change::item of the changes that are added

  void add(const std::string& place, std::string before, std::string after, Position at_before = {},
           Position at_after = {}) {
    if (before != after)
      changes.push_back({.item = item,
                         .place = place,
                         .before = std::move(before),
                         .after = std::move(after),
                         .at_before = at_before,
                         .at_after = at_after});
  }

  // ---- Expressions, down to the smallest that differ ----
  void expr(const Expr& a, const Expr& b, const std::string& place) {
    if (lang::print(a) == lang::print(b)) return;
    const bool same_head = a.kind == b.kind && a.text == b.text && a.kind != Expr::Kind::kNumber;
    if (same_head && a.args.size() == b.args.size() && a.keywords == b.keywords && !a.args.empty()) {
      for (std::size_t i = 0; i < a.args.size(); ++i) expr(a.args[i], b.args[i], place);
      return;
    }
    add(place, lang::print(a), lang::print(b), a.at, b.at);
  }

  // ---- Instances: the tree of a design, by path ----
  void tree(const Expr& a, const Expr& b, const std::string& path) {
    if (lang::print(a) == lang::print(b)) return;
    const auto is_repetition = [](const Expr& e) { return e.kind == Expr::Kind::kBinary && e.text == "*"; };
    if (a.kind == Expr::Kind::kList && b.kind == Expr::Kind::kList) return list(a, b, path);
    if (is_repetition(a) && is_repetition(b)) {
      add(path, lang::print(a.args[0]) + " turns", lang::print(b.args[0]) + " turns", a.at, b.at);
      return tree(a.args[1], b.args[1], path + ".*");
    }
    const auto named = [](const Expr& e) {
      return e.kind == Expr::Kind::kName || e.kind == Expr::Kind::kCall;
    };
    if (!named(a) || !named(b) || a.text != b.text)
      return add(path, lang::print(a), lang::print(b), a.at, b.at);
    for (std::size_t i = 0; i < a.args.size(); ++i)
      if (const Expr* other = keyword(b, a.keywords[i]))
        tree(a.args[i], *other, path + "." + a.keywords[i]);
      else
        add(path + "." + a.keywords[i], lang::print(a.args[i]), "", a.args[i].at, b.at);
    for (std::size_t i = 0; i < b.args.size(); ++i)
      if (!keyword(a, b.keywords[i]))
        add(path + "." + b.keywords[i], "", lang::print(b.args[i]), a.at, b.args[i].at);
  }

  // ---- Statements, by a minimal alignment ----
  void block(const std::vector<Stmt>& a, const std::vector<Stmt>& b) {
    const auto pairs = align(static_cast<int>(a.size()), static_cast<int>(b.size()), [&](int i, int j) {
      if (text_of(a[i]) == text_of(b[j])) return 0.0;
      if (a[i].kind != b[j].kind) return 3.0;
      // A statement with the same subject is a better partner than any other.
      return subject(a[i]) == subject(b[j]) ? 1.0 : 1.9;
    });
    for (const auto& [i, j] : pairs) {
      if (i < 0)
        add(subject(b[j]), "", text_of(b[j]), {}, b[j].at);
      else if (j < 0)
        add(subject(a[i]), text_of(a[i]), "", a[i].at, {});
      else
        stmt(a[i], b[j]);
    }
  }

  // ---- Signatures: inputs and outputs, then each hyperparameter ----
  void signature(const Unit& a, const Unit& b, Position at_a, Position at_b) {
    const auto head = [](Unit u) {
      u.hypers.clear();
      return signature_text(std::move(u));
    };
    add("signature", head(a), head(b), at_a, at_b);
    for (const Hyper& h : a.hypers) {
      const auto other =
          std::find_if(b.hypers.begin(), b.hypers.end(), [&](const Hyper& o) { return o.name == h.name; });
      add(h.name, hyper_text(h), other == b.hypers.end() ? "" : hyper_text(*other), h.at,
          other == b.hypers.end() ? at_b : other->at);
    }
    for (const Hyper& h : b.hypers)
      if (std::none_of(a.hypers.begin(), a.hypers.end(), [&](const Hyper& o) { return o.name == h.name; }))
        add(h.name, "", hyper_text(h), at_a, h.at);
  }

  // ---- Designs: settings, shared instances and the stack ----
  void design(const Design& a, const Design& b) {
    const auto setting = [&](const char* name, const std::optional<Expr>& x, const std::optional<Expr>& y) {
      add(name, x ? lang::print(*x) : "", y ? lang::print(*y) : "", x ? x->at : Position{},
          y ? y->at : Position{});
    };
    setting("width", a.width, b.width);
    setting("vocab", a.vocab, b.vocab);
    setting("tied", a.tied, b.tied);
    for (const auto& share : a.shares) {
      const auto other =
          std::find_if(b.shares.begin(), b.shares.end(), [&](const auto& o) { return o.name == share.name; });
      if (other == b.shares.end())
        add(share.name, lang::print(share.instance), "", share.at, {});
      else
        tree(share.instance, other->instance, share.name);
    }
    for (const auto& share : b.shares)
      if (std::none_of(a.shares.begin(), a.shares.end(), [&](const auto& o) { return o.name == share.name; }))
        add(share.name, "", lang::print(share.instance), {}, share.at);
    tree(a.stack, b.stack, "stack");
  }

 private:
  static const Expr* keyword(const Expr& e, const std::string& name) {
    const auto at = std::find(e.keywords.begin(), e.keywords.end(), name);
    return at == e.keywords.end() ? nullptr : &e.args[static_cast<std::size_t>(at - e.keywords.begin())];
  }

  void list(const Expr& a, const Expr& b, const std::string& path) {
    const auto pairs =
        align(static_cast<int>(a.args.size()), static_cast<int>(b.args.size()), [&](int i, int j) {
          if (lang::print(a.args[i]) == lang::print(b.args[j])) return 0.0;
          return head(a.args[i]) == head(b.args[j]) ? 1.0 : 1.9;
        });
    for (const auto& [i, j] : pairs) {
      const std::string place = path + "." + std::to_string(j < 0 ? i : j);
      if (i < 0)
        add(place, "", lang::print(b.args[j]), a.at, b.args[j].at);
      else if (j < 0)
        add(place, lang::print(a.args[i]), "", a.args[i].at, b.at);
      else
        tree(a.args[i], b.args[j], place);
    }
  }

  // Returns the unit under any repetitions, which identifies a list element.
  static std::string head(const Expr& e) {
    if (e.kind == Expr::Kind::kBinary) return head(e.args[1]);
    return e.kind == Expr::Kind::kList && !e.args.empty() ? "[" + head(e.args[0]) : e.text;
  }

  void stmt(const Stmt& a, const Stmt& b) {
    if (text_of(a) == text_of(b)) return;
    const bool same_head =
        subject(a) == subject(b) && a.values.size() == b.values.size() && types_text(a) == types_text(b);
    if (!same_head) return add(subject(b), text_of(a), text_of(b), a.at, b.at);
    for (std::size_t i = 0; i < a.values.size(); ++i) expr(a.values[i], b.values[i], subject(b));
    block(a.body, b.body);
  }

  static std::string types_text(const Stmt& s) {
    std::string out;
    for (const Expr& t : s.types) out += lang::print(t);
    return out;
  }

  // Returns the first line of a unit; hyper_text does the same for one of its hyperparameters.
  static std::string signature_text(Unit u) {
    u.body.clear();
    std::string text = lang::print(Item{std::move(u), {}, {}});
    return text.substr(0, text.find(":\n"));
  }
  static std::string hyper_text(const Hyper& h) {
    Unit u;
    u.name = "U";
    u.hypers.push_back(h);
    u.outputs.push_back({});
    const std::string text = signature_text(std::move(u));
    const std::size_t from = text.find('(') + 1;
    return text.substr(from, text.rfind(") ->") - from);
  }
};

// Returns the item of the same kind and name; null if there is none.
const Item* partner(const lang::Program& program, const Item& item) {
  for (const Item& other : program.items)
    if (other.value.index() == item.value.index() && lang::item_name(other) == lang::item_name(item))
      return &other;
  return nullptr;
}

// Returns the share of statements of a unit that `a` and `b` have in common. For other items, the result is 0
// or 1.
double likeness(const Item& a, const Item& b) {
  if (a.value.index() != b.value.index()) return 0;
  const auto* u = std::get_if<Unit>(&a.value);
  const auto* v = std::get_if<Unit>(&b.value);
  if (u && v) {
    std::size_t same = 0;
    for (const Stmt& s : v->body)
      same += std::any_of(u->body.begin(), u->body.end(),
                          [&](const Stmt& o) { return text_of(o) == text_of(s); });
    return static_cast<double>(same) / static_cast<double>(std::max(u->body.size(), v->body.size()));
  }
  const auto nameless = [](Item item) {
    std::visit([](auto& value) { value.name = "_"; }, item.value);
    return item_text(item);
  };
  return nameless(a) == nameless(b) ? 1 : 0;
}

}  // namespace

std::vector<Change> diff(const lang::Program& a, const lang::Program& b) {
  Differ out;
  std::vector<const Item*> removed, added;
  for (const Item& item : a.items)
    if (!partner(b, item)) removed.push_back(&item);
  for (const Item& item : b.items) {
    const Item* old = partner(a, item);
    out.item = label(item);
    if (!old) {
      added.push_back(&item);
    } else if (const auto* unit = std::get_if<Unit>(&item.value)) {
      out.signature(std::get<Unit>(old->value), *unit, old->at, item.at);
      out.block(std::get<Unit>(old->value).body, unit->body);
    } else if (const auto* design = std::get_if<Design>(&item.value)) {
      out.design(std::get<Design>(old->value), *design);
    } else {
      out.add("", item_text(*old), item_text(item), old->at, item.at);
    }
  }
  for (const Item* item : added) {
    const auto old = std::max_element(removed.begin(), removed.end(), [&](const Item* p, const Item* q) {
      return likeness(*p, *item) < likeness(*q, *item);
    });
    out.item = label(*item);
    constexpr double kLeastLikeness = 0.5;  // of an item that counts as renamed
    if (old == removed.end() || likeness(**old, *item) < kLeastLikeness) {
      out.add("", "", item_text(*item), {}, item->at);
      continue;
    }
    out.add("name", lang::item_name(**old), lang::item_name(*item), (*old)->at, item->at);
    if (const auto* unit = std::get_if<Unit>(&item->value)) {
      Unit before = std::get<Unit>((*old)->value);
      before.name = unit->name;
      out.signature(before, *unit, (*old)->at, item->at);
      out.block(before.body, unit->body);
    }
    removed.erase(old);
  }
  for (const Item* item : removed) {
    out.item = label(*item);
    out.add("", item_text(*item), "", item->at, {});
  }
  return std::move(out.changes);
}

}  // namespace gabbro::edit
