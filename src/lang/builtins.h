// The functions that a program can call without defining them, one row each.
#pragma once

#include <span>
#include <string_view>

#include "lang/elaborator.h"

namespace gabbro::lang {

/// A built-in function. A call has at most `max_args` positional arguments and the keywords in `keywords`
/// (separated by spaces). The first `min_args` arguments are required.
struct Builtin {
  std::string_view name;
  int min_args;
  int max_args;
  std::string_view keywords;
  // Signature and meaning, for the language reference. Empty if the documentation of the op is used.
  std::string_view doc;
  Value (*run)(Elaborator&, const Expr& call);  // returns poison after an error
};

std::span<const Builtin> builtins();
/// Returns the function called `name`, or null.
const Builtin* find_builtin(std::string_view name);

/// Returns the signature and meaning of `builtin`: its own text, or that of the op of the same name.
std::string_view documentation(const Builtin& builtin);

/// Returns the argument with keyword `keyword`, or null.
const Expr* keyword(const Expr& call, std::string_view keyword);

/// A name that other frameworks have and Gab omits on purpose, with the reason and the causal alternative.
struct Absent {
  std::string_view name;
  std::string_view code;  // of the error
  std::string_view message;
  std::string_view hint;
};
/// Returns the row of `name`, or null.
const Absent* find_absent(std::string_view name);

/// Returns the hint for a library function `name` called over t: its counterpart over past positions. Empty
/// for other functions.
std::string_view causal_counterpart(std::string_view name);

}  // namespace gabbro::lang
