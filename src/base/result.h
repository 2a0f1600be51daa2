// Errors as values.
//
// Expected failures (bad programs, bad input) are returned as Result<T>. A violated invariant of our own
// fails GABBRO_CHECK, which aborts. Libraries never print or exit.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace gabbro {

/// A position in a source text, counted from 1; line 0 means "no position".
struct Position {
  int line = 0;
  int column = 0;
  friend constexpr bool operator==(const Position&, const Position&) = default;
};

/// An error that a person or an agent can repair: a stable `code` ("shape", "future", ...), a one-line
/// `message` with the values involved, and a `hint` with a possible fix (may be empty).
struct Error {
  std::string code;
  std::string message;
  std::string hint;
  Position at;
};

/// A value or an error. Functions that have nothing to return but may fail return Result<bool>, which then
/// holds true.
template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(std::string code, std::string message, std::string hint = {},
                                  Position at = {}) {
  return tl::unexpected<Error>(Error{std::move(code), std::move(message), std::move(hint), at});
}

/// Formats an error as compilers do: "file:line:column: error[code]: message", with the hint on a second
/// line.
std::string format_error(const std::string& file, const Error& error);

[[noreturn]] inline void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: internal check failed: %s\n", file, line, expression);
  std::abort();
}

}  // namespace gabbro

#define GABBRO_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::gabbro::check_failed(#condition, __FILE__, __LINE__))

/// Binds the value of a Result, or returns its error from the enclosing function.
#define GABBRO_TRY(name, expression)                                \
  auto name##_result = (expression);                                \
  if (!name##_result) return tl::unexpected(name##_result.error()); \
  auto name = std::move(*name##_result)
