// Amounts, times and names as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "evolve/population.h"
#include "evolve/statistics.h"

namespace gabbro::campaign {

/// Three digits and a unit: "1.53M"; "-" for what is not finite.
std::string amount(double x);
/// "48 s", "12 min", "3.4 h", "2.1 days".
std::string duration(double seconds);
/// "1 design", "12 designs".
std::string count_of(std::int64_t count, std::string_view what);
/// "-0.0123 [-0.0200, -0.0046]", or why there is no interval.
std::string interval_text(const evolve::Interval& interval);
/// On one line and of at most `most` bytes, cut between characters of UTF-8, "..." included; what is no text
/// becomes "?".
std::string shortened(std::string_view text, std::size_t most);
/// A baseline's name, or "#12 swap": the number and what made it.
std::string label_of(const evolve::Individual& individual);
/// The time in UTC: "2026-11-24 17:05".
std::string date(double seconds_since_1970);

}  // namespace gabbro::campaign
