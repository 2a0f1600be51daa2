// Turns text into a syntax tree. The grammar is in docs/grammar.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lang/ast.h"

namespace gabbro::lang {

/// Limits that keep hostile input cheap. A text that exceeds one gets the error "limit", with its value.
struct ParseLimits {
  std::size_t bytes = 1 << 20;  // size of the text; a longer one is not parsed at all
  int depth = 64;               // nesting of an expression, and of blocks
};

struct ParseResult {
  Program program;            // the part that could be read
  std::vector<Error> errors;  // empty if the text is a program; at most kMaxErrors, in source order
  // The names of the items with errors, whether they are in the program or not.
  std::vector<std::string> damaged;
  // An item has an error in its name, or the errors are too many: nothing is known about what follows.
  bool lost = false;

  static constexpr std::size_t kMaxErrors = 20;
};

/// Parses a whole file. After an error, parsing resumes at the next statement or item, so one pass reports
/// several errors. O(bytes).
ParseResult parse(std::string_view text, const ParseLimits& limits = {});

/// Parses one expression (all of `text`), e.g. an instance "Block(mixer=GLA(heads=4))".
Result<Expr> parse_expression(std::string_view text, const ParseLimits& limits = {});

}  // namespace gabbro::lang
