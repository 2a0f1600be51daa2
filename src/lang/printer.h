// Syntax tree to its canonical text: print(parse(print(p))) == print(p).
#pragma once

#include <string>

#include "lang/ast.h"

namespace gabbro::lang {

/// Canonical text: four-space indent, one space around binary operators (none around = of keywords), fewest
/// parentheses, shortest numbers, lines of at most 100 columns (long signatures and lists break inside
/// brackets), one blank line between items, comments kept.
std::string print(const Program& program);
std::string print(const Item& item);
std::string print(const Expr& expr);
std::string print(const Stmt& stmt, int indent = 0);

}  // namespace gabbro::lang
