// What every job of a worker has in common: specs and results say their version and the kind of job.
#pragma once

#include <string>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::record {

/// The job a spec asks for: "train", "eval", "generate" ... A spec without a job asks for training: the first
/// ones had none. Errors: "spec".
Result<std::string> job_of(const std::string& spec);

/// How a result begins, whatever its job.
struct Outcome {
  Status status = Status::kFailed;
  std::string cause;
};
/// Errors: "result".
Result<Outcome> outcome_of(const std::string& result);

/// A result that only says that the job failed, and why; readers of every kind of result take it.
std::string failure(const std::string& job, const std::string& cause);

}  // namespace gabbro::record
