// `gabbro train`: one trial in a worker process, watched from here.
#pragma once

#include <string>

#include "cli/worker.h"
#include "record/trial.h"

namespace gabbro::cli {

struct TrainCommand {
  std::string file;
  std::string params, tokens = "5M";
  int blocks =
      0;  // of the longest repetition, as campaigns make designs deep (evolve/depth.h); 0: as written
  std::string out;
  bool json = false;
  jobs::Limits limits;
  record::TrialSpec spec;
};

/// Writes spec.json into the run's folder, starts gabbro-worker, shows its progress, and reports its result.
/// Ctrl-C asks the worker to stop at its next step; the same command goes on from there. Exit 0 when the
/// result counts, 1 when it is refused, failed or stopped, 2 for usage, I/O, or a worker that died without a
/// result.
int run_train(const TrainCommand& c);

}  // namespace gabbro::cli
