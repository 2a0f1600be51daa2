// `gabbro eval`: scores the weights of a run in a worker process.
#pragma once

#include <string>

#include "cli/worker.h"
#include "record/eval.h"

namespace gabbro::cli {

struct EvalCommand {
  record::EvalSpec spec;
  bool tasks_only = false;  // scores no held-out text
  bool json = false;
  jobs::WorkerLimits limits;
};

/// Prints a table (or the result as JSON) and writes the result to eval.json in the run's folder. Exit codes:
/// 0 everything was scored; 1 it failed or was stopped; 2 usage, I/O, or a worker without a result. Only a
/// complete result replaces eval.json.
int run_eval(const EvalCommand& c);

/// Formats each metric of a benchmark on a line: value, standard error, number of items.
std::string task_text(const record::TaskScore& task);

/// Replaces the file in each "FILE" or "NAME=FILE" by its absolute path. Errors, "io": the file does not
/// exist.
Result<bool> make_absolute(std::vector<std::string>& tasks);

}  // namespace gabbro::cli
