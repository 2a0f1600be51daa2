// The executor of a campaign: workers on this machine, or jobs on a Slurm cluster.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "jobs/jobs.h"

namespace gabbro::cli {

struct ExecutorChoice {
  std::string
      name;  // "local" or "slurm"; empty: "slurm" with `settings`, else as the campaign's last session
  std::string settings;  // file with the table [slurm], copied into the campaign; empty: the campaign's own
  int workers = 0;       // maximum number of jobs at a time; 0: the executor's default
  int threads = 1;       // threads of a run
  // Environment variables that are withheld from workers.
  std::vector<std::string> hidden = {};
};

/// Returns true if the choice is a cluster for the campaign in `dir`, which need not exist.
bool uses_cluster(const ExecutorChoice& choice, const std::string& dir);

/// Checks and copies the settings into the campaign's folder `dir`, which must exist, and keeps the choice
/// for later sessions. Settings are for these rungs. Errors: "usage", "jobs" for invalid settings, "io".
Result<bool> install_executor(const ExecutorChoice& choice, const std::string& dir,
                              const std::vector<std::string>& rungs);

/// Opens the executor of the campaign in `dir`. On the way from a cluster to this machine, jobs that are
/// still there are cancelled, so that no run is trained twice. Errors: those of the executors.
Result<std::unique_ptr<jobs::Executor>> open_executor(const ExecutorChoice& choice, const std::string& dir);

/// Runs a task of a batch as a job of Slurm does: the hidden command `gabbro slurm-job BATCH INDEX`. Returns
/// the exit code.
int run_slurm_job(const std::string& folder, const std::string& index);

}  // namespace gabbro::cli
