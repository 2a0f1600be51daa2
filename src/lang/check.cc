#include "lang/check.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>

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

}  // namespace

void complete(Subject& subject) {
  Elaboration& e = subject.elaboration;
  if (auto ok = ir::verify(e.graph); !ok) {
    e.errors.push_back(ok.error());
    return;
  }
  for (const int p : ir::dead_params(e.graph))
    e.errors.push_back({"dead",
                        fmt::format("parameter {} never influences the output: no gradient reaches it",
                                    e.graph.params[p].name),
                        "use its value, or remove it", param_position(e.graph, p)});
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

CheckReport check(std::string_view text, const Library& base, const ElaborateOptions& options) {
  ParseResult parsed = parse(text);
  if (parsed.errors.empty()) return check(std::move(parsed.program), base, options);
  return {.program = std::move(parsed.program), .errors = std::move(parsed.errors)};
}

CheckReport check(Program program, const Library& base, const ElaborateOptions& options) {
  CheckReport report;
  report.program = std::move(program);
  Library library = base;
  report.errors = library.add(report.program);
  if (!report.errors.empty()) return report;

  bool has_design = false, has_unit = false;
  for (const Item& item : report.program.items) {
    has_design = has_design || std::holds_alternative<Design>(item.value);
    has_unit = has_unit || std::holds_alternative<Unit>(item.value);
  }
  if (!has_design && !has_unit) {
    report.errors.push_back({"empty",
                             "the file contains neither a design nor a unit",
                             "start with `unit Name(x: [t, D]) -> [t, D]:`",
                             {1, 1}});
    return report;
  }
  const auto take_errors = [&](const Elaboration& e) {
    for (const Error& error : e.errors)
      if (std::none_of(report.errors.begin(), report.errors.end(),
                       [&](const Error& known) { return known.at == error.at && known.code == error.code; }))
        report.errors.push_back(error);
  };
  // Every unit and design has a limit of its own; this one limits their sum.
  std::size_t operations = 0;
  const auto exhausted = [&](Position at) {
    constexpr std::size_t kLargestItems = 4;
    if (operations <= kLargestItems * options.max_nodes) return false;
    report.errors.push_back({"limit",
                             fmt::format("the items up to here have more than {} operations in total",
                                         kLargestItems * options.max_nodes),
                             "split the program into several files", at});
    return true;
  };
  const auto count = [&](const Elaboration& e) {
    for (const ir::Body& body : e.graph.bodies) operations += body.nodes.size();
    operations += e.steps / ElaborateOptions::kStepsPerNode;
  };
  // Units come first, each on its own, so that a unit that no design uses is checked too and its errors are
  // reported once.
  for (const Item& item : report.program.items) {
    const Unit* unit = std::get_if<Unit>(&item.value);
    if (!unit) continue;
    if (exhausted(item.at)) break;
    Expr instance;
    instance.kind = Expr::Kind::kName;
    instance.text = unit->name;
    instance.at = item.at;
    ElaborateOptions unit_options = options;
    unit_options.width = 0;
    // The moves belong to the design: sizes of a unit at other widths need not divide by them.
    unit_options.moves.clear();
    unit_options.free_scale = 1;
    Subject subject{
        .name = unit->name, .is_design = false, .elaboration = elaborate(library, instance, unit_options)};
    count(subject.elaboration);
    if (subject.elaboration.ok() && !has_design) complete(subject);
    take_errors(subject.elaboration);
    if (!has_design) report.subjects.push_back(std::move(subject));
  }
  for (const Item& item : report.program.items) {
    const Design* design = std::get_if<Design>(&item.value);
    if (!design || !report.errors.empty()) continue;
    if (exhausted(item.at)) break;
    Subject subject{
        .name = design->name, .is_design = true, .elaboration = elaborate(library, *design, options)};
    count(subject.elaboration);
    if (subject.elaboration.ok()) complete(subject);
    take_errors(subject.elaboration);
    report.subjects.push_back(std::move(subject));
  }
  std::stable_sort(report.errors.begin(), report.errors.end(), [](const Error& a, const Error& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  return report;
}

}  // namespace gabbro::lang
