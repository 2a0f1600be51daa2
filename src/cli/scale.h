// gabbro scale: trains a few designs at several sizes and fits power laws.
#pragma once

#include <string>
#include <vector>

#include "cli/worker.h"
#include "record/trial.h"

namespace gabbro::cli {

struct ScaleCommand {
  // Programs, or designs of campaigns (RUN#ID). The study measures the lead of the first one.
  std::vector<std::string> designs;
  std::vector<std::string> sizes{"150k", "300k", "600k"};
  std::string out;            // study folder; empty: runs/scale, or RUN/scale if the first design is RUN#ID
  double per_parameter = 20;  // training tokens per parameter, unless `tokens` gives a number for all sizes
  std::string tokens;         // amount, such as "5M"; empty: by `per_parameter`
  int blocks = 0;             // blocks in the longest repetition; 0: as written
  int seeds = 3;              // runs of each design at each size
  bool json = false;
  jobs::WorkerLimits limits;
  record::TrialSpec spec;  // settings shared by all runs; its rate is the start of the searches
};

/// At the smallest size, all designs are trained at the same learning rates around the spec's
/// (evolve/common_rates.h), on seeds that are not used for the comparison. muP transfers the best rate to the
/// other sizes. Then every design is trained at every size with each seed. Runs are stored in
/// OUT/NAME/SIZE/. A finished run is not repeated, so the same command continues after a stop. Writes
/// OUT/scale.json and OUT/scale.html. Exit codes: 0 all laws could be fitted; 1 stopped, or too few finished
/// runs; 2 usage, I/O, or a worker that cannot be started.
int run_scale(const ScaleCommand& c);

}  // namespace gabbro::cli
