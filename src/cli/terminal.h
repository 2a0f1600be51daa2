// Output to the terminal; everything that is printed goes through here.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace gabbro::cli {

enum class Colour { kAuto, kAlways, kNever };

/// Sets whether `paint` adds colour, for the whole process. kAuto does so if standard output is a terminal
/// with colours and NO_COLOR (no-color.org) is not set.
void set_colour(Colour colour);

enum class Ink { kBold, kDim, kRed, kGreen, kCyan };

/// Returns `text`, in colour or unchanged. Only `print` and `put` understand its colour marks.
std::string paint(Ink ink, std::string_view text);

/// Writes `text`, with invisible characters and terminal commands escaped (base/text.h), since programs,
/// replies of models, file names and output of workers are not trusted. Colours of `paint` are kept. Throws
/// as fmt::print does if the text cannot be written.
void put(std::FILE* stream, std::string_view text);

template <class... A>
void print(std::FILE* stream, fmt::format_string<A...> format, A&&... values) {
  put(stream, fmt::format(format, std::forward<A>(values)...));
}
template <class... A>
void print(fmt::format_string<A...> format, A&&... values) {
  put(stdout, fmt::format(format, std::forward<A>(values)...));
}

/// Moves the cursor of the terminal on standard error to the beginning of its line, or `rows` lines up, and
/// clears what follows.
void rewind_line();
void rewind_rows(std::size_t rows);

}  // namespace gabbro::cli
