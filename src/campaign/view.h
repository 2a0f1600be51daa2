// A campaign while it works, and how it ended.
#pragma once

#include <string>
#include <vector>

#include "campaign/campaign.h"
#include "campaign/reading.h"

namespace gabbro::campaign {

/// For a terminal: phase, speed and time left, the funnel by rung, the best designs against the baselines,
/// what runs, the last failures.
std::vector<std::string> view_lines(const Snapshot& snapshot);

/// One line for a log.
std::string plain_line(const Snapshot& snapshot);

/// For the end: the funnel, the best designs and the baselines, the verdict in a sentence, the winner against
/// each baseline, its parts.
std::vector<std::string> summary_lines(const Reading& reading);

}  // namespace gabbro::campaign
