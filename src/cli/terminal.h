// What reaches the terminal: all that is printed goes through here.
#pragma once

#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace gabbro::cli {

enum class Colour { kAuto, kAlways, kNever };

/// Sets for the whole process whether `paint` paints: kAuto does when standard output is a terminal that
/// knows colours and NO_COLOR (no-color.org) is not set.
void set_colour(Colour colour);

enum class Ink { kBold, kDim, kRed, kGreen, kCyan };

/// `text`, in colour or as it is; to be printed by `print` or `put`, which alone know its marks.
std::string paint(Ink ink, std::string_view text);

/// Writes `text` with what commands a terminal or is not seen in it escaped (base/text.h): programs, replies
/// of models, names of files and what workers say are a stranger's. Colours are those of `paint`. Throws as
/// fmt::print does when it cannot be written.
void put(std::FILE* to, std::string_view text);

template <class... A>
void print(std::FILE* to, fmt::format_string<A...> format, A&&... values) {
  put(to, fmt::format(format, std::forward<A>(values)...));
}
template <class... A>
void print(fmt::format_string<A...> format, A&&... values) {
  put(stdout, fmt::format(format, std::forward<A>(values)...));
}

/// Moves the cursor of the terminal behind standard error to the beginning of its line, or `rows` up, and
/// clears what follows.
void rewind_line();
void rewind_rows(std::size_t rows);

}  // namespace gabbro::cli
