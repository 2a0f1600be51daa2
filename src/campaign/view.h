// Formats a campaign while it runs, and its summary at the end.
#pragma once

#include <string>
#include <vector>

#include "campaign/campaign.h"
#include "campaign/reading.h"

namespace gabbro::campaign {

/// Returns lines for a terminal: phase, speed and time left, the funnel by rung, the best designs and the
/// baselines, current runs, and the latest failures.
std::vector<std::string> view_lines(const Snapshot& snapshot);

/// Returns one line for a log: phase, runs by rung, the best design and baseline, agents and time left.
std::string log_line(const Snapshot& snapshot);

/// Returns lines for the end: the funnel, the best designs and the baselines, the verdict in a sentence, the
/// winner against each known design, and its parts.
std::vector<std::string> summary_lines(const CampaignReading& reading);

}  // namespace gabbro::campaign
