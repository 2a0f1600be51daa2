// Formats amounts, times and names for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "evolve/population.h"
#include "evolve/statistics.h"

namespace gabbro::campaign {

/// Formats a number with three digits and a unit: "1.53M"; "-" if it is not finite.
std::string amount(double x);
/// Formats a duration: "48 s", "12 min", "3.4 h", "2.1 days".
std::string duration(double seconds);
/// Formats a count with a noun: "1 design", "12 designs".
std::string count_of(std::int64_t count, std::string_view what);
/// Formats an interval: "-0.0123 [-0.0200, -0.0046]", or says why there is none.
std::string interval_text(const evolve::Interval& interval);
/// Puts text on one line of at most `most` bytes, including "..." if it is cut. It is cut between UTF-8
/// characters, and invalid bytes become "?".
std::string one_line(std::string_view text, std::size_t most);
/// Returns the name of a known design, or "#12 swap": the id and the operator (the name for a user design).
std::string label_of(const evolve::Individual& individual);
/// Formats a time in UTC: "2026-11-24 17:05".
std::string date(double seconds_since_1970);

}  // namespace gabbro::campaign
