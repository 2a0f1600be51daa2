// gabbro bench: how fast designs are on this machine, each in a worker process of its own.
#pragma once

#include <string>
#include <vector>

#include "cli/worker.h"
#include "record/bench.h"

namespace gabbro::cli {

struct BenchCommand {
  std::vector<std::string> files;
  std::string params;  // "1M"; empty: as written
  bool json = false;
  jobs::Limits limits;
  record::BenchSpec spec;
};

/// Measures the last design of each file, one after the other. Exit 0 when all were, 1 when a program is
/// invalid, cannot be sized or run, or it was stopped, 2 for usage, I/O, or a worker without a result.
int run_bench(const BenchCommand& c);

}  // namespace gabbro::cli
