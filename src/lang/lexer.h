// Text to tokens, with Python's layout: line ends and changes of indentation are tokens, except inside
// brackets.
//
// Lexing never fails. What is not a token becomes one of kind kBad that carries its error; the parser reports
// it where it meets it, so that all errors of a file come from one place and in source order.
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
  int error = -1;         // kBad: index into Tokens::errors
  Position at;            // columns count bytes
  std::string_view text;  // into the source; empty for layout
  double number = 0;      // kNumber
};

/// A comment, kept beside the tokens. `before` is the index of the token that follows it: the kNewline of the
/// statement for one at the end of a line.
struct Comment {
  std::string text;  // after '#', without one leading space and without trailing ones
  std::size_t before = 0;
  bool own_line = false;
};

struct Tokens {
  std::vector<Token> tokens;  // ends in kEnd
  std::vector<Comment> comments;
  std::vector<Error> errors;
  bool brackets_match = true;
};

/// Tokens of `text`, which must be valid UTF-8 and outlive them. `flat`: one expression, layout is ignored.
/// O(bytes).
Tokens lex(std::string_view text, bool flat = false);

/// The first place that is not UTF-8 or is a NUL byte, as an error with code "encoding".
std::optional<Error> check_encoding(std::string_view text);

/// All reserved words.
std::span<const std::string_view> reserved_words();

/// Names with a meaning of their own, which nothing else can be given: time and the past, the width, the
/// vocabulary.
std::span<const std::string_view> kept_names();

/// Whether `word` is reserved and so cannot be a name; whether it has a meaning of its own.
bool is_keyword(std::string_view word);
bool is_kept(std::string_view word);

}  // namespace gabbro::lang
