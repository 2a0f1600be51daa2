// Builds syntax trees by hand: call("linear", {name("x"), name("D")}) is linear(x, D).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lang/ast.h"

namespace gabbro::edit::build {

using lang::Expr;
using lang::Stmt;

inline Expr num(double value) {
  Expr e;
  e.kind = Expr::Kind::kNumber;
  e.number = value;
  return e;
}

inline Expr boolean(bool value) {
  Expr e = num(value ? 1 : 0);
  e.kind = Expr::Kind::kBool;
  return e;
}

inline Expr name(std::string_view text) {
  Expr e;
  e.kind = Expr::Kind::kName;
  e.text = text;
  return e;
}

/// Returns `head` as a call with one more argument; `keyword` is empty for a positional argument.
inline Expr with(Expr head, std::string keyword, Expr value) {
  head.kind = Expr::Kind::kCall;
  head.args.push_back(std::move(value));
  head.keywords.push_back(std::move(keyword));
  return head;
}

/// Returns a call with positional arguments.
inline Expr call(std::string_view function, std::vector<Expr> args) {
  Expr e = name(function);
  e.kind = Expr::Kind::kCall;
  e.keywords.resize(args.size());
  e.args = std::move(args);
  return e;
}

/// Returns a call with the argument over=`over` behind the positional ones.
inline Expr call_over(std::string_view function, std::vector<Expr> args, std::string_view over) {
  return with(call(function, std::move(args)), "over", name(over));
}

inline Expr binary(std::string_view op, Expr a, Expr b) {
  Expr e;
  e.kind = Expr::Kind::kBinary;
  e.text = op;
  e.args.push_back(std::move(a));
  e.args.push_back(std::move(b));
  return e;
}

inline Expr minus(Expr a) {
  Expr e;
  e.kind = Expr::Kind::kUnary;
  e.text = "-";
  e.args.push_back(std::move(a));
  return e;
}

inline Expr list(std::vector<Expr> items) {
  Expr e;
  e.kind = Expr::Kind::kList;
  e.args = std::move(items);
  return e;
}

/// Returns a list of names.
inline Expr names(const std::vector<std::string>& items) {
  std::vector<Expr> out;
  for (const std::string& item : items) out.push_back(name(item));
  return list(std::move(out));
}

inline Stmt assign(std::string_view target, Expr value) {
  Stmt s;
  s.kind = Stmt::Kind::kAssign;
  s.targets.push_back(name(target));
  s.values.push_back(std::move(value));
  return s;
}

inline Stmt return_value(Expr value) {
  Stmt s;
  s.kind = Stmt::Kind::kReturn;
  s.values.push_back(std::move(value));
  return s;
}

}  // namespace gabbro::edit::build
