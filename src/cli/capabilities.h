// gabbro capabilities: what designs learn to do on synthetic tasks, each design in a worker process of its
// own.
#pragma once

#include <string>
#include <vector>

#include "cli/worker.h"
#include "record/capability.h"

namespace gabbro::cli {

struct CapabilitiesCommand {
  std::vector<std::string> files;
  bool json = false;
  jobs::Limits limits;
  record::CapabilitySpec spec;
};

/// Asks the last design of each file, one after the other, and prints a row of a table for each. Exit 0 when
/// every design has an outcome for every task, 1 when a program is invalid, fails the probe, or it was
/// stopped, 2 for usage, I/O, or a worker without a result; designs after it are asked all the same.
int run_capabilities(const CapabilitiesCommand& c);

}  // namespace gabbro::cli
