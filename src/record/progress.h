// Progress messages of a worker: one JSON object a line on its standard output.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace gabbro::record {

/// The progress of a job. Numbers that a stage does not have are 0.
struct Progress {
  std::string stage;                 // "training", "scoring", the name of a task, "generating"
  std::int64_t step = 0, steps = 0;  // steps done, and all steps
  std::int64_t tokens = 0;           // tokens processed so far
  double loss = 0, tokens_per_second = 0;
  double share = 0;  // completed share of the stage, in [0, 1]
  std::string text;  // text generated since the last line
};
/// Reports progress. Returns false to stop the job.
using OnProgress = std::function<bool(const Progress&)>;

/// Returns the message with its line end.
std::string to_line(const Progress& progress);
/// Parses a message. Errors: "progress".
Result<Progress> parse_progress(const std::string& line);

}  // namespace gabbro::record
