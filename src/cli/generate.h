// `gabbro generate`: generates text with a trained design.
#pragma once

#include "cli/worker.h"
#include "record/generate.h"

namespace gabbro::cli {

struct GenerateCommand {
  record::GenerateSpec spec;
  bool json = false;
  jobs::WorkerLimits limits;
};

/// Prints the prompt and its continuation as it is generated; Ctrl-C stops. Exit codes: 0 the requested
/// length was generated (or the text ended); 1 it failed or was stopped; 2 usage, I/O, or a worker without a
/// result.
int run_generate(const GenerateCommand& c);

}  // namespace gabbro::cli
