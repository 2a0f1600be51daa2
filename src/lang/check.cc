#include "lang/check.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "ir/canonical.h"
#include "lang/parser.h"

namespace gabbro::lang {

namespace {

// Returns the line that created the parameter, or no position if none did.
Position param_position(const ir::Graph& graph, int param) {
  for (const ir::Node& node : graph.bodies[0].nodes)
    if (node.op == ir::Op::kParam && node.index == param) return {node.line, 1};
  return {};
}

// Returns how to repair a parameter that nothing reads. `alive_elsewhere` is true if the same call creates
// parameters that are read: in other rounds of a loop, or in other calls of its unit.
std::string dead_hint(const ParamOrigin& origin, bool alive_elsewhere) {
  const std::string use = "use its value, or remove it";
  if (!alive_elsewhere) return use;
  if (origin.round.empty())
    return fmt::format(
        "other calls of {0} use it: a hyperparameter of {0}, as in `last: bool = false`, can leave it "
        "out of this one by `... if last else ...`",
        origin.unit);
  if (origin.in_callee)
    return fmt::format(
        "only one round of the loop leaves it unread: give {0} a hyperparameter, as in `last: bool = "
        "false`, leave it out by `... if last else ...`, and call {0}(..., last={1})",
        origin.unit, origin.round);
  return fmt::format(
      "only one round of the loop leaves it unread: leave it out there, as in {0} = {1} if {2} else ...",
      origin.label, origin.carried ? origin.label : "0", origin.round);
}

Error dead_error(const Elaboration& e, int param, const std::vector<int>& dead) {
  const auto origin_of = [&](int p) {
    return static_cast<std::size_t>(p) < e.origins.size() ? e.origins[static_cast<std::size_t>(p)]
                                                          : ParamOrigin{};
  };
  const ParamOrigin origin = origin_of(param);
  bool alive_elsewhere = false;
  for (int p = 0; p < static_cast<int>(e.graph.params.size()); ++p)
    alive_elsewhere = alive_elsewhere || (origin.at.line > 0 && origin_of(p).at == origin.at &&
                                          std::find(dead.begin(), dead.end(), p) == dead.end());
  const Position line = param_position(e.graph, param);
  const bool known = origin.at.line > 0 && origin.at.line == line.line;
  std::string where;
  if (origin.call_line > 0 && origin.call_line != origin.at.line)
    where = fmt::format(" (in {}, called on line {})", origin.unit, origin.call_line);
  return {"dead",
          fmt::format("parameter {} never influences the output: no gradient reaches it{}",
                      e.graph.params[param].name, where),
          dead_hint(origin, alive_elsewhere), known ? origin.at : line};
}

}  // namespace

void complete(Subject& subject) {
  Elaboration& e = subject.elaboration;
  if (auto ok = ir::verify(e.graph); !ok) {
    e.errors.push_back(ok.error());
    return;
  }
  const std::vector<int> dead = ir::dead_params(e.graph);
  for (const int p : dead) e.errors.push_back(dead_error(e, p, dead));
  subject.facts = ir::derive_facts(e.graph);
  const ir::Facts& f = subject.facts;
  if (!f.causal || !f.prefix_consistent || !f.batch_independent)
    e.errors.push_back(
        {"proof",
         fmt::format("the graph of {} reads the future, which no program can express", subject.name),
         "this is a bug in gabbro; please report it",
         {}});
  subject.hash = ir::structural_hash(e.graph);
}

namespace {

using Names = std::set<std::string, std::less<>>;

void add_mentions(const Expr& expr, Names& out) {
  if (expr.kind == Expr::Kind::kName || expr.kind == Expr::Kind::kCall) out.insert(expr.text);
  for (const Expr& arg : expr.args) add_mentions(arg, out);
}

void add_mentions(const std::vector<Stmt>& block, Names& out) {
  for (const Stmt& stmt : block) {
    for (const Expr& value : stmt.values) add_mentions(value, out);
    add_mentions(stmt.body, out);
  }
}

// Returns the names that an item mentions, among them those of all items that it uses.
Names mentions(const Item& item) {
  Names out;
  if (const auto* fn = std::get_if<Function>(&item.value)) {
    for (const Function::Param& param : fn->params)
      if (param.value) add_mentions(*param.value, out);
    add_mentions(fn->body, out);
  } else if (const auto* unit = std::get_if<Unit>(&item.value)) {
    for (const Hyper& hyper : unit->hypers) {
      if (hyper.kind == Hyper::Kind::kSlot) out.insert(hyper.interface);
      if (hyper.value) add_mentions(*hyper.value, out);
    }
    add_mentions(unit->body, out);
  } else if (const auto* design = std::get_if<Design>(&item.value)) {
    for (const Design::Shared& share : design->shares) add_mentions(share.instance, out);
    add_mentions(design->stack, out);
  }
  return out;
}

// Adds to `names` the items that use one of them, directly or through others. Linear in the program.
void add_users(const Program& program, Names& names) {
  std::unordered_map<std::string, std::vector<const std::string*>> users;
  for (const Item& item : program.items)
    for (const std::string& used : mentions(item)) users[used].push_back(&item_name(item));
  std::vector<std::string> pending(names.begin(), names.end());
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    for (const std::string* user : users[name])
      if (names.insert(*user).second) pending.push_back(*user);
  }
}

bool is_before(Position a, Position b) { return std::pair(a.line, a.column) < std::pair(b.line, b.column); }

// Returns the item whose text contains `at`; null before the first item.
const Item* item_at(const Program& program, Position at) {
  const Item* found = nullptr;
  for (const Item& item : program.items)
    if (!is_before(at, item.at) && (!found || is_before(found->at, item.at))) found = &item;
  return found;
}

// Checks the items of a program one after the other. Those with an error of syntax or of their signature, and
// those that use them, are left out: their further errors would only follow.
class Checker {
 public:
  Checker(const Library& base, const ElaborateOptions& options, CheckReport& report)
      : library_(base), options_(options), report_(report) {}

  // `damaged` are the names of items with errors that are in the report.
  void run(Names damaged) {
    const Program& program = report_.program;
    if (damaged.empty()) {
      if (!add(program, damaged)) return;
    } else if (!add_intact(std::move(damaged))) {
      return;
    }
    check_units();
    check_designs();
  }

 private:
  const Program& checked() const { return intact_.items.empty() ? report_.program : intact_; }

  // Adds the program to the library, or reports its errors and adds what they leave. Returns false if that is
  // nothing.
  bool add(const Program& program, Names damaged) {
    const std::vector<Error> errors = library_.add(program);
    if (errors.empty()) return true;
    return note(program, errors, damaged) && add_intact(std::move(damaged));
  }

  // Reports the errors of a program, and adds the items in which they are to `damaged`. Returns false if
  // there are too many to go on.
  bool note(const Program& program, const std::vector<Error>& errors, Names& damaged) {
    report_.errors.insert(report_.errors.end(), errors.begin(), errors.end());
    if (report_.errors.size() >= ParseResult::kMaxErrors) return false;
    for (const Error& error : errors)
      if (const Item* item = item_at(program, error.at)) damaged.insert(item_name(*item));
    return true;
  }

  bool add_intact(Names damaged) {
    for (int round = 0; round < 2; ++round) {
      add_users(report_.program, damaged);
      intact_.items.clear();
      for (const Item& item : report_.program.items)
        if (!damaged.contains(item_name(item))) intact_.items.push_back(item);
      if (intact_.items.empty()) return false;
      const std::vector<Error> errors = library_.add(intact_);
      if (errors.empty()) return true;
      if (!note(intact_, errors, damaged)) return false;
    }
    return false;
  }

  // Appends the errors that are not known yet and for which `counts` holds.
  template <class F>
  void take_errors(const Elaboration& e, const F& counts) {
    for (const Error& error : e.errors)
      if (counts(error) &&
          std::none_of(report_.errors.begin(), report_.errors.end(),
                       [&](const Error& known) { return known.at == error.at && known.code == error.code; }))
        report_.errors.push_back(error);
  }

  // Every unit and design has a limit of its own; this one limits their sum.
  bool is_exhausted(Position at) {
    constexpr std::size_t kLargestItems = 4;
    if (operations_ <= kLargestItems * options_.max_nodes) return false;
    report_.errors.push_back({"limit",
                              fmt::format("the items up to here have more than {} operations in total",
                                          kLargestItems * options_.max_nodes),
                              "split the program into several files", at});
    return true;
  }

  void count(const Elaboration& e) {
    for (const ir::Body& body : e.graph.bodies) operations_ += body.nodes.size();
    operations_ += e.steps / ElaborateOptions::kStepsPerNode;
  }

  [[nodiscard]] bool has_design() const {
    return std::any_of(report_.program.items.begin(), report_.program.items.end(),
                       [](const Item& item) { return std::holds_alternative<Design>(item.value); });
  }

  // Units come first, each on its own, so that a unit that no design uses is checked too and its errors are
  // reported once.
  void check_units() {
    const bool complete_all = !has_design();
    for (const Item& item : checked().items) {
      const Unit* unit = std::get_if<Unit>(&item.value);
      if (!unit) continue;
      if (is_exhausted(item.at)) break;
      Expr instance;
      instance.kind = Expr::Kind::kName;
      instance.text = unit->name;
      instance.at = item.at;
      ElaborateOptions options = options_;
      options.width = 0;
      // The moves belong to the design: sizes of a unit at other widths need not divide by them.
      options.moves.clear();
      options.free_scale = 1;
      Subject subject{
          .name = unit->name, .is_design = false, .elaboration = elaborate(library_, instance, options)};
      count(subject.elaboration);
      if (subject.elaboration.ok() && complete_all) complete(subject);
      take_errors(subject.elaboration, [](const Error&) { return true; });
      if (!subject.elaboration.ok()) failed_.insert(unit->name);
      if (complete_all) report_.subjects.push_back(std::move(subject));
    }
  }

  void check_designs() {
    const bool units_passed = report_.errors.empty();
    // Designs would exceed again what a unit exceeds alone, at the same cost.
    if (std::any_of(report_.errors.begin(), report_.errors.end(),
                    [](const Error& e) { return e.code == "limit"; }))
      return;
    for (const Item& item : checked().items) {
      const Design* design = std::get_if<Design>(&item.value);
      if (!design) continue;
      if (is_exhausted(item.at)) break;
      Subject subject{
          .name = design->name, .is_design = true, .elaboration = elaborate(library_, *design, options_)};
      count(subject.elaboration);
      if (subject.elaboration.ok() && units_passed) complete(subject);
      // A unit with errors of its own may cause more where it is used.
      take_errors(subject.elaboration, [&](const Error& error) {
        const Item* in = item_at(checked(), error.at);
        return failed_.empty() || (in && !failed_.contains(item_name(*in)));
      });
      if (units_passed) report_.subjects.push_back(std::move(subject));
    }
  }

  Library library_;
  const ElaborateOptions& options_;
  CheckReport& report_;
  Program intact_;  // the items that are checked, if some are not; else empty
  Names failed_;    // units with errors
  std::size_t operations_ = 0;
};

bool has_subject(const Program& program) {
  return std::any_of(program.items.begin(), program.items.end(), [](const Item& item) {
    return std::holds_alternative<Design>(item.value) || std::holds_alternative<Unit>(item.value);
  });
}

// Sorts the errors by position and drops those beyond the limit.
void finish(CheckReport& report) {
  std::stable_sort(report.errors.begin(), report.errors.end(),
                   [](const Error& a, const Error& b) { return is_before(a.at, b.at); });
  if (report.errors.size() > ParseResult::kMaxErrors) report.errors.resize(ParseResult::kMaxErrors);
}

}  // namespace

CheckReport check(std::string_view text, const Library& base, const ElaborateOptions& options) {
  ParseResult parsed = parse(text);
  if (parsed.errors.empty()) return check(std::move(parsed.program), base, options);
  CheckReport report{.program = std::move(parsed.program), .errors = std::move(parsed.errors)};
  if (!parsed.lost) Checker(base, options, report).run({parsed.damaged.begin(), parsed.damaged.end()});
  report.subjects.clear();
  finish(report);
  return report;
}

CheckReport check(Program program, const Library& base, const ElaborateOptions& options) {
  CheckReport report;
  report.program = std::move(program);
  if (!has_subject(report.program)) {
    report.errors = Library(base).add(report.program);
    if (report.errors.empty())
      report.errors.push_back({"empty",
                               "the file contains neither a design nor a unit",
                               "start with `unit Name(x: [t, D]) -> [t, D]:`",
                               {1, 1}});
    return report;
  }
  Checker(base, options, report).run({});
  finish(report);
  return report;
}

}  // namespace gabbro::lang
