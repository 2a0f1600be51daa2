// What a worker can be asked to do.
#pragma once

#include <string>

#include "record/progress.h"

namespace gabbro::trial {

/// Runs the job that `spec` (JSON) asks for and gives its result (JSON). Never throws: whatever goes wrong is
/// a result with status "failed" and a cause. A new kind of job is a row of the table in job.cc, with a spec
/// and a result of its own in src/record.
std::string run_job(const std::string& spec, const record::OnProgress& progress = {});

}  // namespace gabbro::trial
