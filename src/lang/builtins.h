// The functions a program can call without defining them: one row each.
#pragma once

#include <span>
#include <string_view>

#include "lang/elaborator.h"

namespace gabbro::lang {

/// `max_args` positional arguments at most, and the keywords in `keywords` (space-separated). `min_args` must
/// be given.
struct Builtin {
  std::string_view name;
  int min_args;
  int max_args;
  std::string_view keywords;
  std::string_view doc;  // signature and meaning, for the language reference; empty when the op row says it
  Value (*run)(Elaborator&, const Expr& call);
};

std::span<const Builtin> builtins();
const Builtin* find_builtin(std::string_view name);

/// How `builtin` is called and what it gives: its own text, else that of the op of its name.
std::string_view documentation(const Builtin& builtin);

/// The argument with keyword `keyword`, or null.
const Expr* keyword(const Expr& call, std::string_view keyword);

/// Names that other frameworks have and Gab leaves out on purpose, with the reason and the causal way to say
/// it.
struct Absent {
  std::string_view name;
  std::string_view code;
  std::string_view message;
  std::string_view hint;
};
const Absent* find_absent(std::string_view name);

/// The hint for library function `name` called over t: what it is over the past alone. Empty for others.
std::string_view causal_counterpart(std::string_view name);

}  // namespace gabbro::lang
