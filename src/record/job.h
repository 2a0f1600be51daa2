// Common parts of all jobs of a worker. Specs and results state their version and the kind of job.
#pragma once

#include <string>

#include "base/result.h"
#include "record/cause.h"
#include "record/spelling.h"

namespace gabbro::record {

/// Returns the job of a spec: "train", "eval", "generate" ... A spec without a job is one of training, since
/// the first specs had none. Errors: "spec".
Result<std::string> job_of(const std::string& spec);

/// The engine that a spec asks for. The engine cpu runs in one process on the CPU; pytorch runs on `device`
/// ("cpu", "cuda" or "cuda:N"), in `gpus` processes with a GPU each.
struct JobEngine {
  Engine engine = Engine::kCpu;
  std::string device = "cpu";
  int gpus = 1;
};
/// Checks that the engine has this device and runs in so many processes. Errors: "device".
Result<bool> check_engine(const JobEngine& engine);
/// Reads these fields of a spec; jobs without engines have the default. Errors: "spec".
Result<JobEngine> engine_of(const std::string& spec);

/// The common fields of a result of any job.
struct JobOutcome {
  Status status = Status::kFailed;
  std::string cause;
};
/// Reads these fields of a result. Errors: "result".
Result<JobOutcome> outcome_of(const std::string& result);

/// Returns a result, as JSON, which only says that the job failed, and why: `cause` in words, and the code of
/// the error. Readers of every kind of result accept it.
std::string failure(const std::string& job, const std::string& cause, Cause error);
/// The same for an error in `file`.
std::string failure(const std::string& job, const std::string& file, const Error& error);

/// Returns the error of a result that contradicts its spec or itself; `why` is what a `misfit` found.
Error inconsistent(const std::string& why);

}  // namespace gabbro::record
