// Turns text into tokens, with Python's layout: line ends and changes of indentation are tokens, except
// inside brackets.
//
// Lexing never fails. Text that is not a token becomes a token of kind kBad that carries its error. The
// parser reports that error when it reaches the token, so all errors of a file come from one place and in
// source order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::lang {

struct Token {
  enum class Kind : std::uint8_t { kName, kKeyword, kNumber, kPunct, kNewline, kIndent, kDedent, kBad, kEnd };
  Kind kind = Kind::kEnd;
  // Index into Tokens::errors, for kBad.
  int error = -1;
  Position at;            // columns count bytes
  std::string_view text;  // view of the source; empty for layout tokens
  double number = 0;      // kNumber
};

/// A comment, kept beside the tokens. `before` is the index of the token that follows it; for a comment at
/// the end of a line, that is the kNewline of the statement.
struct Comment {
  std::string text;  // after '#', without one leading space and without trailing ones
  std::size_t before = 0;
  bool own_line = false;  // no token is before it on its line
};

struct Tokens {
  std::vector<Token> tokens;  // ends in kEnd
  std::vector<Comment> comments;
  std::vector<Error> errors;
  bool brackets_match = true;  // each bracket is closed by one of its kind
};

/// Returns the tokens of `text`, which must be valid UTF-8 and outlive them. With `flat`, the text is one
/// expression and layout is ignored. O(bytes).
Tokens lex(std::string_view text, bool flat = false);

/// Returns the first place that is not UTF-8 or is a NUL byte, as an error with code "encoding".
std::optional<Error> check_encoding(std::string_view text);

/// Returns all reserved words.
std::span<const std::string_view> reserved_words();

/// Returns the hint for a name that may not be chosen, which lists all reserved words and built-in names.
std::string reserved_hint();

/// Returns the built-in names, which no program may redefine: t, s, D, V, all and Unit.
std::span<const std::string_view> builtin_names();

/// Returns true if `word` is a reserved word (is_keyword) or a built-in name (is_builtin_name). Neither can
/// be given to anything.
bool is_keyword(std::string_view word);
bool is_builtin_name(std::string_view word);

}  // namespace gabbro::lang
