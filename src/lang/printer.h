// Prints a syntax tree as its canonical text: print(parse(print(p))) == print(p).
#pragma once

#include <string>

#include "lang/ast.h"

namespace gabbro::lang {

/// Returns the canonical text: indentation of four spaces, one space around binary operators (none around =
/// of keywords), as few parentheses as possible, shortest numbers, lines of at most 100 columns (long
/// signatures and lists break inside brackets), one blank line between items, comments kept.
std::string print(const Program& program);
std::string print(const Item& item);
std::string print(const Expr& expr);
std::string print(const Stmt& stmt, int indent = 0);

/// Returns a hash of the canonical text without its comments, 16 hex digits. Unlike the canonical hash of a
/// design, it depends on names and on the order of operands, and therefore on the names that parameters get
/// in a graph.
std::string code_hash(const Program& program);

}  // namespace gabbro::lang
