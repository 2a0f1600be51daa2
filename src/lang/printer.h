// Prints a syntax tree as its canonical text: print(parse(print(p))) == print(p).
#pragma once

#include <string>

#include "lang/ast.h"

namespace gabbro::lang {

/// Returns the canonical text: indentation of four spaces, one space around binary operators (none around =
/// of keywords), as few parentheses as possible, shortest numbers, lines of at most 100 columns (long
/// signatures and lists break inside brackets), one blank line between items, comments kept. An expression is
/// printed on one line without a newline. `indent` is the number of spaces before a statement.
std::string print(const Program& program);
std::string print(const Item& item);
std::string print(const Expr& expr);
std::string print(const Stmt& stmt, int indent = 0);

}  // namespace gabbro::lang
