// Finds a JSON object or Gab in a reply, regardless of the text around it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::agents {

/// Maximum length of a reply in bytes; the rest is cut. It is far above any legitimate reply.
inline constexpr std::size_t kLongestReply = 256 << 10;

/// Returns the first kLongestReply bytes of the reply, without the reasoning that precedes the answer: up to
/// the last end of thoughts ("</think>", "[/THINK]" and the like), or to the last final channel of gpt-oss.
/// The marks that end such a channel are left out, too.
std::string_view answer_of(std::string_view reply);

/// Returns the JSON object of a reply that has the most of the fields that `schema` (a JSON schema of an
/// object) asks for, and the last of several: models repeat the schema, or an example, before they answer. It
/// may stand within another object or be written as text. Its values are given the types of the schema where
/// their meaning is clear: null is an empty list, or else left out; texts that hold a number, a list or an
/// object become that ("4 of 5", "40%", "about 0.02"); a single value becomes a list; a list becomes a text.
/// If no object is valid JSON, returns the first text in balanced braces, so that whoever parses it can
/// report the mistake. Errors: "json" if there is no such text. O(bytes).
Result<std::string> find_object(std::string_view reply, std::string_view schema);

/// Returns the Gab in a reply, with typographic signs and tabs as Gab writes them: the fenced blocks that
/// contain items of the language; else a fenced block that is not closed; else the lines from the first item
/// on that may be code; else the whole answer, so that the parser reports the error. O(bytes).
std::string find_code(std::string_view reply);

/// A unit in a text, with the comments and functions before it; the last one of a text also with what
/// follows.
struct UnitText {
  std::string unit, text;
};

/// Divides a text of units at the lines at which they begin, so that an error in one is none of the others.
std::vector<UnitText> divide_units(std::string_view code);

/// Returns the expression in a reply: the lines of the first fenced block, or else the last line that parses
/// as an expression, or else the first line.
std::string find_expression(std::string_view reply);

/// Formats the errors of a program for repair by a model: each with its line number, the line's text and the
/// hint; at most `max_errors` errors. `source` is the text that their lines refer to; empty: no lines are
/// shown.
std::string describe_errors(const std::vector<Error>& errors, std::string_view source,
                            std::size_t max_errors = 5);

/// Returns true if a unit, design or port can be given this name: an identifier of at most 60 characters that
/// the language does not reserve.
bool is_legal_name(std::string_view name);

}  // namespace gabbro::agents
