// Checks the scores that a worker reports for the capability tasks of a design.
#pragma once

#include <string>
#include <vector>

#include "record/capability.h"

namespace gabbro::capability {

/// Returns why `result` cannot belong to a job with these tasks (their names, in the order of the job) and to
/// the design with this structural hash; "" if it can. Each finished task needs a score at every one of
/// Task::lengths, with Task::chance. A result without scores (failed, refused or stopped) is possible.
std::string misfit(const std::vector<std::string>& task_names, const std::string& hash,
                   const record::CapabilityResult& result);

}  // namespace gabbro::capability
