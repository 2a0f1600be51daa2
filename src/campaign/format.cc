#include "campaign/format.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <ctime>

namespace gabbro::campaign {

std::string amount(double x) {
  if (!std::isfinite(x)) return "-";
  static constexpr std::array<const char*, 7> kUnits{"", "k", "M", "G", "T", "P", "E"};
  std::size_t unit = 0;
  // With three digits, 999.5 is rounded to the next unit.
  while (std::abs(x) >= 999.5 && unit + 1 < kUnits.size()) x /= 1000, ++unit;
  return fmt::format("{:.3g}{}", x, kUnits[unit]);
}

std::string duration(double s) {
  if (s < 100) return fmt::format("{:.0f} s", s);
  if (s < 100 * 60) return fmt::format("{:.0f} min", s / 60);
  if (s < 72 * 3600) return fmt::format("{:.1f} h", s / 3600);
  return fmt::format("{:.1f} days", s / 86400);
}

std::string count_of(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string interval_text(const evolve::Interval& i) {
  if (i.count == 0) return "no common seed";
  if (!std::isfinite(i.low))
    return fmt::format("{:+.4f} ({}, no interval)", i.mean, count_of(i.count, "seed"));
  return fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", i.mean, i.low, i.high);
}

std::string one_line(std::string_view text, std::size_t max_bytes) {
  std::string out;
  bool cut = false;
  for (std::size_t i = 0; i < text.size();) {
    // `length` is that of the UTF-8 character that begins here; 0 if there is none.
    const auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    for (std::size_t k = 1; k < length; ++k)
      if (i + k >= text.size() || (static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) length = 0;
    std::string piece = length == 0 ? "?" : std::string(text.substr(i, length));
    if (length == 1 && (lead < 0x20 || lead == 0x7f)) piece = " ";
    const std::size_t left = text.size() - i;
    // The rest fits as a whole, or there must be room for the dots.
    if (out.size() + (left <= 3 ? left : piece.size() + 3) > max_bytes && out.size() + left > max_bytes) {
      cut = true;
      break;
    }
    out += piece;
    i += length == 0 ? 1 : length;
  }
  return cut ? out + "..." : out;
}

std::string label_of(const evolve::Individual& i) {
  if (evolve::is_known(i)) return one_line(i.created.name, 40);
  return fmt::format("#{} {}{}", i.created.id,
                     one_line(evolve::is_user_design(i) ? i.created.name : evolve::maker_of(i.created), 40),
                     i.vetoed ? " (vetoed)" : "");
}

std::string date(double seconds) {
  if (!(seconds > 0) || seconds > 1e11) return "-";
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace gabbro::campaign
