// A campaign for people: the lines of the live view and of `gabbro status`.
#pragma once

#include <string>
#include <vector>

#include "campaign/campaign.h"

namespace gabbro::campaign {

/// The funnel by rung: what entered, is under way, done, stopped early, and failed.
std::vector<std::string> funnel_lines(const evolve::Population& population);

/// The best designs against the baselines at the highest rung that a candidate reached: bits per byte, the difference to the best baseline over
/// common seeds, costs. At most `count` candidates, all baselines, best first.
std::vector<std::string> table_lines(const evolve::Population& population, std::size_t count);

/// The last comparison, by fresh seeds: the winner against each baseline with its interval, and what its ablations lose. Empty before it.
std::vector<std::string> verdict_lines(const evolve::Population& population);

/// Everything, for a terminal: what runs, speed, time left, the last failures.
std::vector<std::string> view_lines(const Snapshot& snapshot);

/// One line for a log.
std::string plain_line(const Snapshot& snapshot);

}  // namespace gabbro::campaign
