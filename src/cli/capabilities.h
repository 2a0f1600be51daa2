// gabbro capabilities: measures what designs learn on synthetic tasks, each in its own worker process.
#pragma once

#include <string>
#include <vector>

#include "cli/worker.h"
#include "record/capability.h"

namespace gabbro::cli {

struct CapabilitiesCommand {
  std::vector<std::string> files;
  bool json = false;
  jobs::WorkerLimits limits;
  record::CapabilitySpec spec;
};

/// Tests the last design of each file, one after the other, and prints a table with one row per design.
/// Designs after one whose worker left no result are still tested. Exit codes: 0 every design has an outcome
/// for every task; 1 a program is invalid or fails the probe, or the command was stopped; 2 usage, I/O, or a
/// worker without a result.
int run_capabilities(const CapabilitiesCommand& c);

}  // namespace gabbro::cli
