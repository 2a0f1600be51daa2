// Writes a tree as one line of s-expressions without positions. Two trees are equal exactly if their dumps
// are.
#pragma once

#include <fmt/core.h>

#include <string>
#include <vector>

#include "lang/ast.h"

namespace gabbro::lang::testing {

inline std::string dump(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
      return fmt::format("{}", expr.number);
    case Expr::Kind::kBool:
      return expr.number != 0 ? "true" : "false";
    case Expr::Kind::kName:
      return expr.text;
    default:
      break;
  }
  // By Expr::Kind.
  constexpr const char* kHeads[] = {"", "", "", "call ", "", "", "list", "if", "index "};
  std::string out = "(" + (kHeads[static_cast<int>(expr.kind)] + expr.text);
  for (std::size_t i = 0; i < expr.args.size(); ++i) {
    const bool keyword = expr.kind == Expr::Kind::kCall && !expr.keywords[i].empty();
    out += " " + (keyword ? expr.keywords[i] + "=" : "") + dump(expr.args[i]);
  }
  return out + ")";
}

inline std::string dump(const Stmt& stmt) {
  // By Stmt::Kind.
  constexpr const char* kHeads[] = {"axis", "assign", "share", "scan", "for", "return"};
  std::string out = std::string("(") + kHeads[static_cast<int>(stmt.kind)];
  for (const auto& comment : stmt.comments) out += " #" + comment + "#";
  if (!stmt.trailing.empty()) out += " ##" + stmt.trailing + "#";
  for (const auto& name : stmt.names) out += " " + name;
  for (const auto& target : stmt.targets) out += " " + dump(target);
  for (const auto& type : stmt.types) out += " :" + dump(type);
  for (const auto& value : stmt.values) out += " =" + dump(value);
  for (const auto& inner : stmt.body) out += " " + dump(inner);
  return out + ")";
}

inline std::string dump(const std::vector<Stmt>& body) {
  std::string out;
  for (const auto& stmt : body) out += " " + dump(stmt);
  return out;
}

inline std::string dump(const std::vector<Port>& ports) {
  std::string out = " (";
  for (const auto& port : ports) {
    out += port.name + ":[";
    for (const auto& axis : port.axes) out += axis + " ";
    out += "]";
  }
  return out + ")";
}

inline std::string dump(const Hyper& hyper) {
  std::string out = fmt::format(" ({}:{}{}{}", hyper.name, hyper.free ? "free " : "",
                                static_cast<int>(hyper.kind), hyper.interface);
  for (const auto& entry : hyper.range) out += " " + dump(entry.low) + ".." + dump(entry.high);
  return out + (hyper.value ? " =" + dump(*hyper.value) : "") + ")";
}

inline std::string dump(const Function& function) {
  std::string out = "fn " + function.name;
  for (const auto& param : function.params) {
    out += " " + param.name + (param.value ? "=" + dump(*param.value) : "");
  }
  return out + dump(function.body);
}

inline std::string dump(const Interface& interface) {
  return "interface " + interface.name + dump(interface.inputs) + dump(interface.outputs);
}

inline std::string dump(const Unit& unit) {
  std::string out = "unit " + unit.name + dump(unit.inputs);
  for (const auto& hyper : unit.hypers) out += dump(hyper);
  return out + dump(unit.outputs) + dump(unit.body);
}

inline std::string dump(const Design& design) {
  std::string out = "design " + design.name;
  if (design.width) out += " width=" + dump(*design.width);
  if (design.vocab) out += " vocab=" + dump(*design.vocab);
  if (design.tied) out += " tied=" + dump(*design.tied);
  for (const auto& shared : design.shares) out += " share " + shared.name + "=" + dump(shared.instance);
  return out + " stack=" + dump(design.stack);
}

inline std::string dump(const Program& program) {
  std::string out;
  for (const auto& item : program.items) {
    out += "(";
    for (const auto& comment : item.comments) out += "#" + comment + "# ";
    out += std::visit([](const auto& value) { return dump(value); }, item.value) + ")\n";
  }
  for (const auto& comment : program.trailing_comments) out += "#" + comment + "#\n";
  return out;
}

}  // namespace gabbro::lang::testing
