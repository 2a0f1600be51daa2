// Describes the work of agents for `gabbro status`, `gabbro show RUN#ID` and the report.
#pragma once

#include <string>
#include <vector>

#include "campaign/reading.h"
#include "campaign/report_page.h"

namespace gabbro::campaign {

/// Number of tasks with one outcome, such as "design", "refused: duplicate", "review" or "chat down".
struct TaskOutcomeCount {
  std::string what;
  std::int64_t count = 0;
};
/// Returns the outcomes of all tasks, most frequent first.
std::vector<TaskOutcomeCount> outcomes(const evolve::Population& population);

/// Returns tasks, reviewers and steering for `gabbro status`; "" if there are none.
std::string agents_text(const CampaignReading& reading);

/// Returns how agents made a design, for `gabbro show`; "" if they did not make it.
std::string task_text(const CampaignReading& reading, std::int64_t design);

/// Adds the section on agents to a report. Adds nothing without tasks and steering.
void agents_section(Content& c);

}  // namespace gabbro::campaign
