// gabbro scale: a few designs at several sizes, and the power laws through them.
#pragma once

#include <string>
#include <vector>

#include "cli/worker.h"
#include "record/trial.h"

namespace gabbro::cli {

struct ScaleCommand {
  std::vector<std::string>
      designs;  // programs, or designs of campaigns (RUN#ID); the first is the one whose lead is asked for
  std::vector<std::string> sizes{"150k", "300k", "600k"};
  std::string out;
  double per_parameter = 20;  // tokens, where `tokens` does not say how many for all sizes
  std::string tokens;
  int blocks = 0, seeds = 3;
  bool json = false;
  jobs::Limits limits;
  record::TrialSpec spec;  // what all runs share; its rate is where the searches begin
};

/// At the smallest size every design is given rates by factors of two around the spec's, as many as any
/// other, with a seed that judges nothing; muP carries the best one to the other sizes. Then every design is
/// trained at every size with each seed. Runs lie in OUT/NAME/SIZE/; a finished one is not made again, so
/// that the same command goes on after a stop. Writes OUT/scale.json and OUT/scale.html. Exit 0 when all
/// could be fitted, 1 when it was stopped or there are too few finished runs, 2 for usage, I/O, or a worker
/// that cannot be started.
int run_scale(const ScaleCommand& c);

}  // namespace gabbro::cli
