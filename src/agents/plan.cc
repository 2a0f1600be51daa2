#include "agents/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agents/replies.h"
#include "edit/edit.h"
#include "lang/builtins.h"
#include "lang/lexer.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "record/fields.h"

namespace gabbro::agents {

template <class Io, record::Is<PlannedUnit> X>
void fields(Io& io, X& x) {
  io("name", x.name);
  io("inputs", x.inputs);
  io("does", x.task);
  io.optional("results", x.results);
  io.optional("uses", x.uses);
}

namespace {

constexpr std::size_t kMaxPorts = 8;        // inputs of a unit, and results after the first
constexpr std::size_t kLongestTask = 3000;  // bytes of PlannedUnit::task

// Returns the ports of a planned unit in a form that can be compared with those of a written one.
std::string interface_of(const PlannedUnit& unit) {
  std::vector<lang::Port> inputs(unit.inputs.size()), outputs(1);
  for (const std::string& r : unit.results) outputs.push_back({r, {}, {}});
  return edit::signature_of(inputs, outputs);
}

// Calls f(part) for each name in an expression and for each character between names.
template <class F>
void for_each_part(const std::string& text, const F& f) {
  const auto is_name_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && is_name_part(text[end])) ++end;
    end = std::max(end, begin + 1);
    f(text.substr(begin, end - begin));
    begin = end;
  }
}

// Returns `text` with each occurrence of the name `from` replaced by `to`.
std::string renamed(const std::string& text, const std::string& from, const std::string& to) {
  std::string out;
  for_each_part(text, [&](const std::string& part) { out += part == from ? to : part; });
  return out;
}

// Returns true if `name` occurs in `text` as a whole name.
bool mentions(const std::string& text, const std::string& name) {
  bool found = false;
  for_each_part(text, [&](const std::string& part) { found = found || part == name; });
  return found;
}

// Repairs common mistakes of planners. They list hyperparameters as inputs, plan library units that others
// merely use, and pass values as arguments of an instance. The unit that replaces another also gets the ports
// of the replaced unit.
void repair_units(UnitPlan& plan, const Base& base, const lang::Library& library) {
  std::erase_if(plan.units, [&](const PlannedUnit& unit) {
    return plan.units.size() > 1 && library.unit(unit.name) && !mentions(plan.instance, unit.name);
  });
  std::set<std::string> hypers, values;
  const auto collect = [&](const lang::Unit& unit) {
    for (const lang::Hyper& h : unit.hypers) hypers.insert(h.name);
    for (const lang::Port& port : unit.inputs) values.insert(port.name);
  };
  for (const std::string& name : library.unit_names()) collect(*library.unit(name));
  for (const lang::Item& item : base.program.items)
    if (const auto* unit = std::get_if<lang::Unit>(&item.value)) collect(*unit);
  const lang::Unit* const replaced = unit_at(base, library);
  auto instance = lang::parse_expression(plan.instance);
  const bool is_planned_unit =
      instance && std::any_of(plan.units.begin(), plan.units.end(),
                              [&](const PlannedUnit& u) { return u.name == instance->text; });
  if (is_planned_unit && std::any_of(instance->keywords.begin(), instance->keywords.end(),
                                     [](const std::string& keyword) { return keyword.empty(); })) {
    for (std::size_t i = instance->args.size(); i-- > 0;)
      if (instance->keywords[i].empty()) {
        instance->args.erase(instance->args.begin() + static_cast<std::ptrdiff_t>(i));
        instance->keywords.erase(instance->keywords.begin() + static_cast<std::ptrdiff_t>(i));
      }
    if (instance->args.empty()) instance->kind = lang::Expr::Kind::kName;
    plan.instance = lang::print(*instance);
  }
  for (PlannedUnit& unit : plan.units) {
    std::erase_if(unit.inputs,
                  [&](const std::string& name) { return hypers.contains(name) && !values.contains(name); });
    if (is_planned_unit && instance->text == unit.name) {
      unit.inputs.clear();
      unit.results.clear();
      for (std::size_t i = 0; replaced && i < replaced->inputs.size(); ++i)
        unit.inputs.push_back(replaced->inputs[i].name);
      for (std::size_t i = 1; replaced && i < replaced->outputs.size(); ++i)
        unit.results.push_back(replaced->outputs[i].name);
    }
    if (unit.inputs.empty()) unit.inputs = {"x"};
  }
}

// Returns an instance of `unit` with its defaults; for a design from scratch, a stack of blocks with it.
std::string plain_instance(const Base& base, const std::string& unit) {
  return base.mode == record::Mode::kScratch ? fmt::format("[8 * Block(mixer={}), RMSNorm]", unit) : unit;
}

bool is_known(const std::string& name, const lang::Library& library) {
  return library.unit(name) || library.function(name) || library.interface(name) || lang::find_builtin(name);
}

// Returns true if the parent has an item of this name that the plan may not replace. A mutation may rewrite a
// unit of the parent if its interface stays the same.
bool is_taken_by_parent(const std::string& name, const PlannedUnit& unit, const Base& base) {
  return std::any_of(base.program.items.begin(), base.program.items.end(), [&](const lang::Item& item) {
    const auto* own = std::get_if<lang::Unit>(&item.value);
    const bool may_be_rewritten = own && base.mode == record::Mode::kMutation &&
                                  edit::signature_of(own->inputs, own->outputs) == interface_of(unit);
    return lang::item_name(item) == name && !may_be_rewritten;
  });
}

// Gives units whose name is taken a number, drops ports whose name is illegal or repeated, and drops uses of
// units that the plan does not have.
void repair_names(UnitPlan& plan, const Base& base, const lang::Library& library) {
  const auto taken = [&](const PlannedUnit& unit, const std::string& name) {
    return is_known(name, library) || is_taken_by_parent(name, unit, base);
  };
  for (PlannedUnit& unit : plan.units) {
    if (is_legal_name(unit.name) && taken(unit, unit.name)) {
      int number = 2;
      while (taken(unit, unit.name + std::to_string(number))) ++number;
      const std::string name = unit.name + std::to_string(number);
      plan.instance = renamed(plan.instance, unit.name, name);
      for (PlannedUnit& other : plan.units)
        std::replace(other.uses.begin(), other.uses.end(), unit.name, name);
      unit.name = name;
    }
    std::set<std::string> ports;
    for (auto* names : {&unit.inputs, &unit.results})
      std::erase_if(*names, [&](const std::string& port) {
        return !is_legal_name(port) || !ports.insert(port).second;
      });
  }
  for (PlannedUnit& unit : plan.units)
    std::erase_if(unit.uses, [&](const std::string& use) {
      return std::none_of(plan.units.begin(), plan.units.end(),
                          [&](const PlannedUnit& u) { return u.name == use && &u != &unit; });
    });
}

// Checks the names of a unit and of its ports, and the number of ports. Errors: "plan".
Result<bool> check_names(const PlannedUnit& unit, const Base& base, const lang::Library& library) {
  if (!is_legal_name(unit.name))
    return fail("plan", fmt::format("'{}' is not a valid unit name", shortened(unit.name, 80)),
                "write it like GatedMemory; " + lang::reserved_hint());
  if (is_known(unit.name, library))
    return fail("plan", fmt::format("the name {} is taken by the library", unit.name),
                "give the new unit a name of its own");
  if (is_taken_by_parent(unit.name, unit, base))
    return fail(
        "plan",
        fmt::format("the name {} is taken by a parent, with another interface or as a part of the crossover",
                    unit.name),
        "give the new unit a name of its own");
  if (unit.inputs.empty() || unit.inputs.size() > kMaxPorts || unit.results.size() > kMaxPorts)
    return fail("plan",
                fmt::format("{} has {} inputs and {} results", unit.name, unit.inputs.size(),
                            1 + unit.results.size()),
                "use 1 to 8 inputs, usually [\"x\"]; further results are usually []");
  std::set<std::string> ports;
  for (const auto* names : {&unit.inputs, &unit.results})
    for (const std::string& port : *names)
      if (!is_legal_name(port) || !ports.insert(port).second)
        return fail("plan",
                    fmt::format("'{}' is not a valid name for an input or result of {}, or is used twice",
                                shortened(port, 80), unit.name),
                    "use letters, digits and _, and each name once; " + lang::reserved_hint());
  return true;
}

// Sorts the units so that each comes after the units it uses; otherwise the order stays as listed.
Result<std::vector<PlannedUnit>> ordered(std::vector<PlannedUnit> units) {
  std::vector<PlannedUnit> out;
  std::set<std::string> done;
  while (!units.empty()) {
    const auto next = std::find_if(units.begin(), units.end(), [&](const PlannedUnit& u) {
      return std::all_of(u.uses.begin(), u.uses.end(),
                         [&](const std::string& use) { return done.contains(use); });
    });
    if (next == units.end()) {
      std::string names;
      for (const PlannedUnit& u : units) names += (names.empty() ? "" : ", ") + u.name;
      return fail("plan", "these units depend on each other in a cycle: " + names,
                  "a unit uses only units before it; pass others in by slots");
    }
    done.insert(next->name);
    out.push_back(std::move(*next));
    units.erase(next);
  }
  return out;
}

// Removes the units that the instance does not reach, directly or through units that it uses. Returns the
// name of the last of them, or "". Nothing is removed if the instance uses no unit of the plan; parse_plan
// handles that case.
std::string drop_unused(UnitPlan& plan) {
  std::set<std::string> used;
  for (auto unit = plan.units.rbegin(); unit != plan.units.rend(); ++unit)
    if (used.contains(unit->name) || mentions(plan.instance, unit->name)) {
      used.insert(unit->name);
      used.insert(unit->uses.begin(), unit->uses.end());
    }
  std::string unused;
  if (!used.empty())
    std::erase_if(plan.units, [&](const PlannedUnit& unit) {
      if (used.contains(unit.name)) return false;
      unused = unit.name;
      return true;
    });
  return unused;
}

// Returns a plan of the units that the proposal names, each with one input x.
UnitPlan plan_without_planner(const Proposal& p, const Base& base) {
  UnitPlan plan;
  for (const std::string& name : p.units)
    plan.units.push_back({.name = name,
                          .inputs = {"x"},
                          .task = p.units.size() == 1 ? "the proposal" : "its part of the proposal"});
  if (plan.units.empty()) return plan;
  plan.instance = plain_instance(base, plan.units.back().name);
  return plan;
}

}  // namespace

std::string signature(const PlannedUnit& unit) {
  std::string inputs, results;
  for (const std::string& input : unit.inputs) inputs += (inputs.empty() ? "" : ", ") + input + ": [t, D]";
  for (const std::string& result : unit.results) results += ", " + result + ": [t, D]";
  return fmt::format("{}({}) -> [t, D]{}", unit.name, inputs, results);
}

Result<UnitPlan> parse_plan(const std::string& json, const Base& base, int max_units,
                            const lang::Library& library, bool repair_all) {
  GABBRO_TRY(io, record::Reader::parse(json, "plan"));
  UnitPlan plan;
  io.list("units", plan.units);
  io.optional("instance", plan.instance);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (plan.units.size() > static_cast<std::size_t>(max_units))
    return fail("plan", fmt::format("{} units, but at most {} are allowed", plan.units.size(), max_units),
                "merge small units");
  repair_units(plan, base, library);
  if (repair_all) repair_names(plan, base, library);
  std::set<std::string> names;
  for (PlannedUnit& unit : plan.units) {
    unit.task = shortened(unit.task, kLongestTask);
    if (auto ok = check_names(unit, base, library); !ok) return tl::unexpected(ok.error());
    if (!names.insert(unit.name).second)
      return fail("plan", "two units are named " + unit.name, "use each name once");
  }
  for (PlannedUnit& unit : plan.units) {
    const auto parent_items = items_of(base);
    std::erase_if(unit.uses, [&](const std::string& use) {
      return !names.contains(use) && (library.unit(use) || is_item(use, parent_items));
    });
    for (const std::string& use : unit.uses)
      if (!names.contains(use))
        return fail("plan",
                    fmt::format("{} uses {}, which is neither planned nor in the library", unit.name,
                                shortened(use, 80)),
                    "plan it, or use a unit of the library");
  }
  GABBRO_TRY(units, ordered(std::move(plan.units)));
  plan.units = std::move(units);
  if (const std::string unused = drop_unused(plan); !unused.empty() && !repair_all)
    return fail("plan", unused + " is used by neither a unit of the plan nor the instance",
                "leave it out, or name it in `uses` of the unit that calls it");
  if (plan.instance.empty() && base.inserted_instance.empty())
    return fail(
        "plan", "instance is empty",
        plan.units.empty() ? "name the unit to put in place" : instance_text(base, plan.units.back().name));
  const bool uses_plan = std::any_of(plan.units.begin(), plan.units.end(), [&](const PlannedUnit& unit) {
    return mentions(plan.instance, unit.name);
  });
  const bool is_unparsable = repair_all && !lang::parse_expression(plan.instance);
  if (!plan.instance.empty() && !plan.units.empty() && (!uses_plan || is_unparsable)) {
    if (!repair_all)
      return fail("plan",
                  fmt::format("the instance `{}` uses no unit of the plan", shortened(plan.instance, 80)),
                  instance_text(base, plan.units.back().name));
    plan.instance = plain_instance(base, plan.units.back().name);
  }
  if (!plan.instance.empty())
    if (const auto expr = lang::parse_expression(plan.instance); !expr)
      return fail("plan", "instance: " + expr.error().message, expr.error().hint);
  return plan;
}

std::string plain_instance(const UnitPlan& plan, const Base& base) {
  return plan.units.empty() ? "" : plain_instance(base, plan.units.back().name);
}

std::string instance_text(const Base& base, const std::string& unit) {
  const std::string name = unit.empty() ? "NewUnit" : unit;
  if (base.mode == record::Mode::kScratch)
    return fmt::format(
        "the whole stack, as \"[8 * Block(mixer={}, mlp=SwiGLU), RMSNorm]\"; it ends with a norm", name);
  std::string text =
      fmt::format("what stands at {} from now on, in the place of `{}`", base.place, base.old_instance);
  if (!base.inserted_instance.empty())
    text += fmt::format("; the second parent brought `{}`, \"\" leaves that", base.inserted_instance);
  return text + fmt::format("; as \"{0}\", or \"{0}(heads=2)\" when it has that hyperparameter", name);
}

bool asks_planner(const AgentSettings& settings, record::Mode mode, const Proposal& p) {
  return settings.planner && !(mode == record::Mode::kMutation && p.units.size() == 1);
}

Result<UnitPlan> make_plan(Interview& interview, const Proposal& p, const Base& base) {
  const bool nothing_new = p.units.empty() && base.mode == record::Mode::kCrossover;
  if (nothing_new) return UnitPlan{};
  UnitPlan plan;
  if (!asks_planner(interview.settings(), base.mode, p)) {
    plan = plan_without_planner(p, base);
    if (plan.units.empty())
      return fail("plan", "the proposal names no unit, and there is no planner to add one");
    repair_units(plan, base, interview.resources().library);
    for (const PlannedUnit& unit : plan.units)
      if (auto ok = check_names(unit, base, interview.resources().library); !ok)
        return tl::unexpected(ok.error());
    return plan;
  }
  const auto reply = interview.ask_object(
      {.role = "planner",
       .prompt = "planner.md",
       .values = {{"proposal", quoted("proposal", describe(p))},
                  {"instance", instance_text(base, p.units.empty() ? "" : p.units.back())}},
       .schema = "planner.json",
       .limits = {.counts = {{"units",
                              {base.inserted_instance.empty() ? 1 : 0, interview.settings().most_units}}}},
       .knowledge = Knowledge::kUnits},
      "plan", [&](const std::string& json, bool is_last) -> Result<bool> {
        GABBRO_TRY(read,
                   parse_plan(json, base, interview.settings().most_units, interview.resources().library,
                              /*repair_all=*/is_last));
        plan = std::move(read);
        return true;
      });
  if (!reply) return tl::unexpected(reply.error());
  return plan;
}

}  // namespace gabbro::agents
