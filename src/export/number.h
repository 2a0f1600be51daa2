// Numbers that are known when a module is written, with the Python expressions that compute them.
#pragma once

#include <string>
#include <string_view>

namespace gabbro::pytorch {

/// Binding strength of a Python expression, for parentheses.
enum Rank : int { kLambda, kCompare = 3, kSum = 5, kProduct = 6, kNegation = 7, kPower = 8, kAtom = 10 };

/// A Python expression for a number.
struct Code {
  std::string text = "0";
  int rank = kAtom;
  bool is_int = true;    // its value is a Python int
  std::string quotient;  // for a / b of two ints: "a // b"
};

/// A number, and its expression in the function that is being written (`code`) and in the class that holds
/// the function's weights (`owner`). Names of a class are marked (`size_name`), because they are attributes
/// in `forward` and variables in `__init__`.
struct Number {
  double value = 0;
  Code code;
  Code owner;
};

/// Returns `text` in parentheses if its rank is lower than `least`.
std::string bracketed(const std::string& text, int rank, int least);

/// Returns a number that is written as digits in both places.
Number literal(double value);
/// Returns a number that is called `name` in both places.
Number named(double value, std::string name);

/// Marks a name of the class under construction.
std::string size_name(std::string_view name);
/// Replaces the marks of size_name: by "self.name" if `self`, else by "name".
std::string resolve_names(std::string_view text, bool self);

/// Returns `a op b`. The text is a literal for comparisons, and if Python would compute another value: the
/// operator // of Gab forgives rounding errors.
Number combine(std::string_view op, const Number& a, const Number& b);
/// Returns -a.
Number negated(const Number& a);

/// Returns ", " and the int expression of a window, as the last argument of a call, or "" if it is infinite.
std::string window_text(const Number& window);

/// Returns the Python int expression of a whole number, in parentheses if its rank is lower than `least`.
std::string int_text(double value, const Code& code, int least = kLambda);

}  // namespace gabbro::pytorch
