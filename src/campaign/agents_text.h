// What agents did, for a person: in `gabbro status`, `gabbro show RUN#ID` and the report.
#pragma once

#include <string>
#include <vector>

#include "campaign/reading.h"
#include "campaign/report_page.h"

namespace gabbro::campaign {

/// Counts of tasks by what became of them, most often first: "design", "refused: duplicate", "review", "chat
/// down" ...
struct Outcome {
  std::string what;
  std::int64_t count = 0;
};
std::vector<Outcome> outcomes(const evolve::Population& population);

/// Tasks, reviewers and steering, for `gabbro status`; nothing when there are none.
std::string agents_text(const Reading& reading);

/// How a design was made by agents, for `gabbro show`; nothing when it was not.
std::string task_text(const Reading& reading, std::int64_t design);

/// The section of the report; nothing without tasks and steering.
void agents_section(Content& c);

}  // namespace gabbro::campaign
