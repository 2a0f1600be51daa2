// `gabbro train`: runs and watches one trial in a worker process.
#pragma once

#include <string>

#include "cli/worker.h"
#include "record/trial.h"

namespace gabbro::cli {

struct TrainCommand {
  std::string file;                   // program whose last design is trained
  std::string params, tokens = "5M";  // amounts (cli/report.h, parse_amount); params "": as written
  // Number of blocks in the longest repetition, by which campaigns set the depth of designs (evolve/depth.h);
  // 0: as written.
  int blocks = 0;
  std::string out;  // run folder; "": runs/NAME of the design
  bool json = false;
  jobs::WorkerLimits limits;
  record::TrialSpec spec;
};

/// Writes spec.json into the run's folder, starts gabbro-worker, shows its progress, and reports its result.
/// Ctrl-C asks the worker to stop at its next step; the same command continues from there. Exit codes: 0 the
/// result counts; 1 it was refused, failed or was stopped; 2 usage, I/O, or a worker that died without a
/// result.
int run_train(const TrainCommand& c);

}  // namespace gabbro::cli
