#include "cli/terminal.h"

#include <unistd.h>

#include <cstdlib>
#include <random>

#include "base/text.h"

namespace gabbro::cli {

namespace {

bool g_paint = false;

bool terminal_knows_colours() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color && *no_color) return false;
  return isatty(STDOUT_FILENO) != 0 && term && std::string_view(term) != "dumb";
}

// Returns the mark before and after the number of a colour. It is random and never leaves this process, so no
// text can contain it.
const std::string& mark() {
  static const std::string kMark = [] {
    std::random_device random;
    return fmt::format("\x1b{:08x}{:08x};", random(), random());
  }();
  return kMark;
}

}  // namespace

void set_colour(Colour colour) {
  g_paint = colour == Colour::kAlways || (colour == Colour::kAuto && terminal_knows_colours());
}

std::string paint(Ink ink, std::string_view text) {
  if (!g_paint || text.empty()) return std::string(text);
  constexpr int kCodes[] = {1, 2, 31, 32, 36};  // of the terminal, in the order of Ink
  return fmt::format("{0}{1}{0}{2}{0}0{0}", mark(), kCodes[static_cast<int>(ink)], text);
}

void put(std::FILE* stream, std::string_view text) {
  if (!g_paint) return fmt::print(stream, "{}", printable(text));
  std::string out;
  // Text and colour numbers alternate.
  for (bool is_number = false;; is_number = !is_number) {
    const std::size_t end = text.find(mark());
    const std::string_view piece = text.substr(0, end);
    out += is_number ? fmt::format("\x1b[{}m", piece) : printable(piece);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + mark().size());
  }
  fmt::print(stream, "{}", out);
}

void rewind_line() { fmt::print(stderr, "\r\x1b[K"); }

void rewind_rows(std::size_t rows) {
  if (rows > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", rows);
}

}  // namespace gabbro::cli
