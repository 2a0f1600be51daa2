#include "cli/terminal.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>

namespace gabbro::cli {

namespace {

bool g_paint = false;

bool terminal_knows_colours() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color && *no_color) return false;
  return isatty(STDOUT_FILENO) != 0 && term && std::string_view(term) != "dumb";
}

}  // namespace

void set_colour(Colour colour) {
  g_paint = colour == Colour::kAlways || (colour == Colour::kAuto && terminal_knows_colours());
}

std::string paint(Ink ink, std::string_view text) {
  if (!g_paint || text.empty()) return std::string(text);
  constexpr int kCodes[] = {1, 2, 31, 32, 36};
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<int>(ink)], text);
}

}  // namespace gabbro::cli
