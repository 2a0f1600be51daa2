// `gabbro eval`: the weights of a run, scored in a worker process.
#pragma once

#include <string>

#include "cli/worker.h"
#include "record/eval.h"

namespace gabbro::cli {

struct EvalCommand {
  record::EvalSpec spec;
  bool tasks_only = false, json = false;
  jobs::Limits limits;
};

/// Prints a table (or the result as JSON) and leaves the result as eval.json in the run's folder. Exit 0 when
/// everything was scored, 1 when it failed or was stopped, 2 for usage, I/O, or a worker that left no result;
/// eval.json is replaced only by a complete result.
int run_eval(const EvalCommand& c);

/// A line per metric of a benchmark: value, standard error, items.
std::string task_text(const record::TaskScore& task);

/// Gives each "FILE" or "NAME=FILE" the file's whole path. Errors, "io": there is no such file.
Result<bool> make_absolute(std::vector<std::string>& tasks);

}  // namespace gabbro::cli
