// gabbro bench: measures the speed of designs on this machine, each in its own worker process.
#pragma once

#include <string>
#include <vector>

#include "cli/worker.h"
#include "record/bench.h"

namespace gabbro::cli {

struct BenchCommand {
  std::vector<std::string> files;
  std::string params;  // parameter budget, such as "1M"; empty: as written
  bool json = false;
  jobs::WorkerLimits limits;
  record::BenchSpec spec;
};

/// Measures the last design of each file, one after the other. Exit codes: 0 all were measured; 1 a program
/// is invalid or cannot be sized or run, or the command was stopped; 2 usage, I/O, or a worker without a
/// result.
int run_bench(const BenchCommand& c);

}  // namespace gabbro::cli
