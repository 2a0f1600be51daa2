// `gabbro generate`: text from a trained design.
#pragma once

#include "cli/worker.h"
#include "record/generate.h"

namespace gabbro::cli {

struct GenerateCommand {
  record::GenerateSpec spec;
  bool json = false;
  jobs::Limits limits;
};

/// Prints the prompt and what follows as it is made; Ctrl-C stops. Exit 0 when as much was made as was asked
/// for (or the text ended), 1 when it failed or was stopped, 2 for usage, I/O, or a worker that left no
/// result.
int run_generate(const GenerateCommand& c);

}  // namespace gabbro::cli
