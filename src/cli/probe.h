// gabbro probe: tests designs on random data in a worker process.
#pragma once

#include <string>
#include <vector>

#include "cli/worker.h"
#include "record/probe.h"

namespace gabbro::cli {

struct ProbeCommand {
  std::vector<std::string> files;
  bool json = false;
  jobs::WorkerLimits limits;
  record::ProbeSpec spec;
};

/// Probes the last design of each file. Exit codes: 0 every check of every design holds; 1 a check does not
/// hold or a program is invalid; 2 usage, I/O, or a worker without a result.
int run_probe(const ProbeCommand& c);

}  // namespace gabbro::cli
