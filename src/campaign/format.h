// Formats amounts, times and names for display.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "evolve/population.h"
#include "evolve/statistics.h"

namespace gabbro::campaign {

/// Formats a number with three significant digits and an SI prefix: "1.53M"; "-" if it is not finite.
std::string amount(double x);
/// Formats a duration: "48 s", "12 min", "3.4 h", "2.1 days".
std::string duration(double seconds);
/// Formats a count with a noun, given in the singular; the plural adds an s: "1 design", "12 designs".
std::string count_of(std::int64_t count, std::string_view noun);
/// Formats a mean over seeds with its interval: "-0.0123 [-0.0200, -0.0046]". An unbounded interval gives
/// "-0.0123 (1 seed, no interval)", and one of no seeds "no common seed".
std::string interval_text(const evolve::Interval& interval);
/// Puts text on one line of at most `max_bytes` (at least 3), including "..." if it is cut. It is cut between
/// UTF-8 characters. Control characters become spaces, and invalid bytes "?".
std::string one_line(std::string_view text, std::size_t max_bytes);
/// Returns the name of a baseline or control. Other designs get their id and how they were made, as in "#12
/// swap_operator" (evolve::maker_of); designs of users get their id and name. Vetoed ones end in " (vetoed)".
std::string label_of(const evolve::Individual& individual);
/// Formats a time in UTC: "2026-11-24 17:05"; "-" if there is none (0).
std::string date(double seconds_since_1970);

}  // namespace gabbro::campaign
