// Describes the work of agents for `gabbro status`, `gabbro show RUN#ID` and the report.
#pragma once

#include <string>
#include <vector>

#include "campaign/reading.h"
#include "campaign/report_page.h"

namespace gabbro::campaign {

/// Number of tasks with one outcome: "design", "refused: duplicate", "gave up: chat down", "in progress" ...
struct TaskOutcomeCount {
  std::string outcome;
  std::int64_t count = 0;
};
/// Counts the tasks by their outcome, most frequent first.
std::vector<TaskOutcomeCount> count_task_outcomes(const evolve::Population& population);

/// Formats tasks, reviewers and steering for `gabbro status`; "" if there are none.
std::string agents_text(const CampaignReading& reading);

/// Describes how agents made a design, for `gabbro show`; "" if they did not make it.
std::string task_text(const CampaignReading& reading, std::int64_t design);

/// Lists the papers that were found for a task, and says from which of them the reviewers know its idea; ""
/// if there are neither papers nor such a remark.
std::string papers_text(const record::TaskReport& report);

/// Adds the section on agents to a report, if there are tasks or steering.
void agents_section(Content& c);

}  // namespace gabbro::campaign
