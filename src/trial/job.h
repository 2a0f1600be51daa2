// The jobs that a worker can run.
#pragma once

#include <string>

#include "exec/pytorch/python.h"
#include "record/progress.h"

namespace gabbro::trial {

/// Runs the job that `spec` (JSON) describes and returns its result (JSON). Never throws: every error becomes
/// a result with status "failed" and a cause. A new kind of job is a row of the table in job.cc, with its own
/// spec and result in src/record. Jobs with the engine "pytorch" need `python`.
std::string run_job(const std::string& spec, const record::OnProgress& progress = {},
                    exec::pytorch::Python* python = nullptr);

}  // namespace gabbro::trial
