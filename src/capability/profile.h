// Checks the scores that a worker reports for the capability tasks of a design.
#pragma once

#include <string>
#include <vector>

#include "record/capability.h"

namespace gabbro::capability {

/// Returns why `result` cannot belong to these tasks and to the design with this structural hash; "" if it
/// can. Each finished task needs a score at every sequence length of its row in task.cc, with that row's
/// accuracy of guessing. A result without scores (failed, refused or stopped) is possible.
std::string misfit(const std::vector<std::string>& asked, const std::string& hash,
                   const record::CapabilityResult& result);

}  // namespace gabbro::capability
