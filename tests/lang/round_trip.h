// Checks the contract between parser and printer on any text.
#pragma once

#include <string>
#include <string_view>

#include "lang/dump.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::lang::testing {

/// Returns the first violation in parsing and printing `text`, or "". Errors must have positions. A text that
/// parses must print to a text that parses to an equal tree and prints to itself. Sets `valid` if the text is
/// a program.
inline std::string round_trip_violation(std::string_view text, bool& valid) {
  const ParseResult first = parse(text);
  valid = first.errors.empty();
  if (first.errors.size() > 20) return "more than 20 errors";
  for (const auto& error : first.errors) {
    if (error.at.line < 1 || error.at.column < 1) return "an error without a place: " + error.message;
    if (error.code.empty() || error.message.empty()) return "an error without a text";
    if (error.message.find('\n') != std::string::npos) return "an error of two lines: " + error.message;
  }
  if (!valid) return {};
  const std::string printed = print(first.program);
  const ParseResult second = parse(printed);
  if (!second.errors.empty())
    return "the printed text has errors: " + format_error("printed", second.errors[0]);
  if (dump(first.program) != dump(second.program)) return "the printed text is another program:\n" + printed;
  if (print(second.program) != printed) return "printing is not idempotent:\n" + printed;
  return {};
}

}  // namespace gabbro::lang::testing
