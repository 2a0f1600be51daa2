// Checks a reply of the coder.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agents/coder.h"
#include "agents/prompts.h"
#include "agents/replies.h"
#include "edit/edit.h"
#include "edit/values.h"
#include "lang/ascii_hint.h"
#include "lang/builtins.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::agents {

namespace {

// The weight of an error of syntax or interface. Most of them end the check early, so that other errors are
// not found yet.
constexpr std::size_t kBlockingErrorWeight = 10;
constexpr std::size_t kLongestQuote = 200;  // bytes of a line of an item that the reply does not contain

// Returns the items of the reply with the last one of each name, without designs and without items that are
// known already. The unit `unit` is kept even if it is known: a mutation may rewrite it.
std::vector<lang::Item> own_items(std::vector<lang::Item> items, const std::string& unit,
                                  const std::vector<lang::Item>& known) {
  std::vector<lang::Item> out;
  for (lang::Item& item : items) {
    const std::string& name = lang::item_name(item);
    if (std::holds_alternative<lang::Design>(item.value)) continue;
    if (is_item(name, known) && name != unit) continue;
    std::erase_if(out, [&](const lang::Item& earlier) { return lang::item_name(earlier) == name; });
    out.push_back(std::move(item));
  }
  return out;
}

// Returns the signature of a unit, with the axes that it declares.
std::string signature(const lang::Unit& unit) {
  const auto tensor = [](const lang::Port& port) {
    const std::string axes = fmt::format("[{}]", fmt::join(port.axes, ", "));
    return port.name.empty() ? axes : port.name + ": " + axes;
  };
  std::vector<std::string> inputs, outputs;
  for (const lang::Port& port : unit.inputs) inputs.push_back(tensor(port));
  for (const lang::Port& port : unit.outputs) outputs.push_back(tensor(port));
  return fmt::format("{}({}) -> {}", unit.name, fmt::join(inputs, ", "), fmt::join(outputs, ", "));
}

// Returns true if all ports are [t, D], inputs and outputs are as many as planned, and the results after the
// first have the planned names. The names of inputs are not compared.
bool fits(const lang::Unit& unit, const PlannedUnit& planned) {
  const auto plain = [](const lang::Port& p) { return p.axes == std::vector<std::string>{"t", "D"}; };
  if (!std::all_of(unit.inputs.begin(), unit.inputs.end(), plain)) return false;
  if (!std::all_of(unit.outputs.begin(), unit.outputs.end(), plain)) return false;
  if (unit.inputs.size() != planned.inputs.size() || unit.outputs.size() != planned.results.size() + 1)
    return false;
  for (std::size_t i = 0; i < planned.results.size(); ++i)
    if (unit.outputs[i + 1].name != planned.results[i]) return false;
  return true;
}

// Collects the names that the statements read, and those that they declare or assign.
void collect_names(const std::vector<lang::Stmt>& block, std::set<std::string>& read,
                   std::set<std::string>& declared) {
  for (const lang::Stmt& s : block) {
    for (const lang::Expr& value : s.values) edit::names_in(value, read);
    for (const std::string& name : edit::assigned(s)) declared.insert(name);
    declared.insert(s.names.begin(), s.names.end());
    collect_names(s.body, read, declared);
  }
}

// Gives an expression or a hyperparameter of another text a position in this one, for its errors.
void move_to(Position at, lang::Expr& expr) {
  expr.at = at;
  for (lang::Expr& arg : expr.args) move_to(at, arg);
}

void move_to(Position at, lang::Hyper& hyper) {
  hyper.at = at;
  if (hyper.value) move_to(at, *hyper.value);
  for (lang::RangeEntry& entry : hyper.range) {
    move_to(at, entry.low);
    move_to(at, entry.high);
  }
}

// Declares hyperparameters and slots that the unit reads without declaring them, as coders do when they copy
// from another unit. Each is declared as in the first unit that declares it with a default that is valid
// here: the unit that is to be replaced, then the units of the design and of the draft, then the library's.
void declare_hypers(lang::Unit& unit, const Base& base, const std::vector<lang::Item>& known,
                    const lang::Library& library) {
  std::set<std::string> read, declared;
  collect_names(unit.body, read, declared);
  for (const lang::Port& port : unit.inputs) declared.insert(port.name);
  for (const lang::Hyper& h : unit.hypers) declared.insert(h.name);
  std::vector<const lang::Unit*> sources;
  if (const lang::Unit* const place = unit_at(base, library)) sources.push_back(place);
  for (const lang::Item& item : known)
    if (const auto* u = std::get_if<lang::Unit>(&item.value)) sources.push_back(u);
  for (const std::string& name : library.unit_names()) sources.push_back(library.unit(name));
  const auto names_only_library_units = [&](const lang::Expr& value) {
    std::set<std::string> names;
    edit::names_in(value, names);
    return std::all_of(names.begin(), names.end(), [&](const std::string& n) { return library.unit(n); });
  };
  for (const std::string& name : read) {
    const bool is_known = declared.contains(name) || library.function(name) || library.unit(name) ||
                          lang::find_builtin(name) || is_item(name, known);
    if (is_known) continue;
    for (const lang::Unit* const source : sources) {
      const auto h = std::find_if(source->hypers.begin(), source->hypers.end(),
                                  [&](const lang::Hyper& hyper) { return hyper.name == name; });
      if (h == source->hypers.end() || !h->value || !names_only_library_units(*h->value)) continue;
      unit.hypers.push_back(*h);
      move_to(unit.inputs[0].at, unit.hypers.back());
      break;
    }
  }
}

// Returns the items as they are when parsed below `lines` other lines, so that the line of an error tells
// whether it is in them. If their printed text does not parse, they are returned unchanged.
std::vector<lang::Item> moved_below(const std::vector<lang::Item>& items, int lines) {
  lang::Program program;
  program.items = items;
  lang::ParseResult parsed =
      lang::parse(std::string(static_cast<std::size_t>(lines), '\n') + lang::print(program));
  return parsed.errors.empty() ? std::move(parsed.program.items) : items;
}

// Rewrites the errors in lines that the reply does not contain: each then names the item and quotes the line.
void quote_other_items(std::vector<Error>& errors, const std::vector<lang::Item>& others, int lines) {
  if (others.empty()) return;
  lang::Program program;
  program.items = others;
  const std::string text = lang::print(program);
  for (Error& e : errors) {
    if (e.at.line <= lines) continue;
    std::string name;
    for (const lang::Item& item : others)
      if (item.at.line <= e.at.line) name = lang::item_name(item);
    std::string_view line = text;
    for (int i = lines + 1; i < e.at.line && !line.empty(); ++i)
      line.remove_prefix(std::min(line.find('\n'), line.size() - 1) + 1);
    line = line.substr(0, line.find('\n'));
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    e.message = fmt::format("in {}, which stays as it is (`{}`): {}", name, shortened(line, kLongestQuote),
                            e.message);
    e.at = {};
  }
}

Error interface_error(const std::vector<lang::Item>& items, const PlannedUnit& planned,
                      const lang::Unit* found) {
  Error e{.code = "interface",
          .message = "",
          .hint = fmt::format("write `unit {}:` with hyperparameters and slots after the inputs",
                              signature(planned)),
          .at = {1, 1}};
  if (found) {
    e.message = fmt::format("the unit was declared as {}, but the reply has {}", signature(planned),
                            signature(*found));
    return e;
  }
  std::string names;
  for (const lang::Item& item : items) names += (names.empty() ? "" : ", ") + lang::item_name(item);
  e.message =
      fmt::format("the reply has no unit {}{}", planned.name, names.empty() ? "" : "; it has " + names);
  return e;
}

}  // namespace

std::vector<std::size_t> UnitCandidate::sort_key() const {
  std::size_t weight = 0;
  for (const Error& e : errors)
    weight += is(e, record::Cause::kSyntax) || is(e, record::Cause::kInterface) ? kBlockingErrorWeight : 1;
  return {weight, static_cast<std::size_t>(broken_promises), text.size()};
}

UnitCandidate check_reply(const std::string& reply, const PlannedUnit& planned, const Proposal& proposal,
                          const Base& base, const std::vector<lang::Item>& written, bool is_last,
                          const lang::Library& library) {
  UnitCandidate c;
  c.text = find_code(lang::with_ascii_signs(reply));
  lang::ParseResult parsed = lang::parse(c.text);
  const auto known = with_items(items_of(base), written);
  c.items = own_items(std::move(parsed.program.items), planned.name, known);
  c.errors = std::move(parsed.errors);
  if (!c.errors.empty()) return c;

  const lang::Unit* unit = nullptr;
  for (const lang::Item& item : c.items)
    if (const auto* u = std::get_if<lang::Unit>(&item.value); u && u->name == planned.name) unit = u;
  if (!unit || !fits(*unit, planned)) {
    c.errors.push_back(interface_error(c.items, planned, unit));
    return c;
  }
  for (const lang::Item& item : c.items)
    if (const auto* u = std::get_if<lang::Unit>(&item.value); u && u->name != planned.name)
      c.errors.push_back(
          {"interface", fmt::format("the reply has another unit, {}", u->name),
           fmt::format("write only {}; put anything else it needs inside it or in a `fn`", planned.name),
           item.at});
  if (!c.errors.empty()) return c;

  lang::Program own;
  own.items = std::move(c.items);
  declare_hypers(*edit::find_unit(own, planned.name), base, known, library);
  edit::tidy(own);  // removes assignments, axes and hyperparameters that nothing reads
  c.items = std::move(own.items);
  const int lines = 1 + static_cast<int>(std::count(c.text.begin(), c.text.end(), '\n'));
  const std::vector<lang::Item> others = moved_below(known, lines);
  lang::Program program;
  program.items = with_items(others, c.items);
  const lang::CheckReport report = lang::check(std::move(program), library);
  c.errors = report.errors;
  quote_other_items(c.errors, others, lines);
  if (!is_last) return c;  // promises are about the whole design, which only the last unit stands for
  for (const lang::Subject& s : report.subjects)  // the units, since the program has no design
    if (s.name == planned.name && s.elaboration.ok())
      for (const record::Promise& p : verify_promises(proposal, s.facts))
        // A promise to reach all earlier tokens may be kept by the rest of the design; one of a window may
        // not.
        if (!p.kept && (p.property != record::Property::kReach || proposal.reach == PromisedReach::kWindow))
          ++c.broken_promises;
  return c;
}

}  // namespace gabbro::agents
