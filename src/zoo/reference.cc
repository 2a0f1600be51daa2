#include "zoo/reference.h"

#include <fmt/format.h>

#include "lang/builtins.h"
#include "lang/printer.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::zoo {

namespace {

std::string call_of(const lang::Unit& unit) {
  std::string args;
  const auto add = [&](const std::string& arg) { args += (args.empty() ? "" : ", ") + arg; };
  if (unit.inputs.size() > 1)
    for (const lang::Port& input : unit.inputs) add(input.name);
  for (const lang::Hyper& h : unit.hypers) {
    std::string arg = h.name;
    if (h.kind == lang::Hyper::Kind::kSlot) arg += ": " + h.interface;
    if (h.value) arg += "=" + lang::print(*h.value);
    add(arg);
  }
  std::string results;
  for (std::size_t i = 1; i < unit.outputs.size(); ++i) results += ", " + unit.outputs[i].name;
  if (!results.empty()) results = " -> y" + results;
  return unit.name + (args.empty() ? "" : "(" + args + ")") + results;
}

}  // namespace

std::string functions_text() {
  std::string out;
  for (const lang::Builtin& b : lang::builtins()) out += fmt::format("- {}\n", documentation(b));
  std::string composites;
  for (const EmbeddedFile& entry : embedded_files())
    for (const lang::Item& item : program(entry.file)->items) {
      const auto* function = std::get_if<lang::Function>(&item.value);
      if (!function) continue;
      std::string params;
      for (const auto& p : function->params)
        params += (params.empty() ? "" : ", ") + p.name + (p.value ? "=" + lang::print(*p.value) : "");
      composites += fmt::format("{}{}({})", composites.empty() ? "" : ", ", function->name, params);
    }
  return out + "- written in Gab: " + composites + "\n";
}

std::string units_text() {
  std::string out;
  for (const EmbeddedFile& entry : embedded_files()) {
    std::string line;
    for (const lang::Item& item : program(entry.file)->items)
      if (const auto* unit = std::get_if<lang::Unit>(&item.value))
        line += (line.empty() ? "" : "; ") + call_of(*unit);
    if (!line.empty()) out += fmt::format("- {}\n", line);
  }
  return out;
}

}  // namespace gabbro::zoo
