// Formats a campaign while it runs, and its summary at the end.
#pragma once

#include <string>
#include <vector>

#include "campaign/campaign.h"
#include "campaign/reading.h"

namespace gabbro::campaign {

/// Returns lines for a terminal: phase, speed and time left, the funnel by rung, the best designs and the
/// known ones, runs in progress, and the latest failures.
std::vector<std::string> view_lines(const Snapshot& snapshot);

/// Says what is left of the session: "12 min left", "23 of 120 runs left, about 14 min" at the speed of the
/// session so far, both, or "no limit set".
std::string left_text(const Snapshot& snapshot);

/// Returns one line for a log: phase, designs judged by rung, the best design and baseline, agents, time
/// left.
std::string log_line(const Snapshot& snapshot);

/// Returns lines for the end of a session: the funnel, the best designs and the known ones, the verdict, the
/// leader against each known design, and its parts.
std::vector<std::string> summary_lines(const CampaignReading& reading);

}  // namespace gabbro::campaign
