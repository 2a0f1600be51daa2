// Checks of a worker's word on the capability tasks of a design.
#pragma once

#include <string>
#include <vector>

#include "record/capability.h"

namespace gabbro::capability {

/// Returns why the result cannot be that of the tasks asked for, of a design with this canonical hash; "": it
/// can. Tasks have the lengths and the chance of task.h.
std::string misfit(const std::vector<std::string>& asked, const std::string& hash,
                   const record::CapabilityResult& result);

}  // namespace gabbro::capability
