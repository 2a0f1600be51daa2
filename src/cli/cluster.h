// The executor of a campaign: workers on this machine, or jobs on a Slurm cluster.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "jobs/jobs.h"

namespace gabbro::cli {

struct ExecutorChoice {
  std::string name;      // "local" or "slurm"; empty: as the campaign's last session
  std::string settings;  // file with the table [slurm], copied into the campaign; empty: the campaign's own
  int workers = 0;       // maximum number of jobs at a time; 0: the executor's default
  int threads = 1;       // threads of a run
  // Environment variables that are withheld from workers.
  std::vector<std::string> hidden = {};
};

/// Checks and copies the settings into the campaign's folder `dir`, which must exist. A campaign with
/// settings continues on its cluster. Errors: "jobs" for invalid settings, "io".
Result<bool> install_executor(const ExecutorChoice& choice, const std::string& dir);

/// Opens the executor of the campaign in `dir`. On the way from a cluster to this machine, jobs that are
/// still there are cancelled, so that no run is trained twice. Errors: those of the executors.
Result<std::unique_ptr<jobs::Executor>> open_executor(const ExecutorChoice& choice, const std::string& dir);

/// Runs a task of a batch as a job of Slurm does: the hidden command `gabbro slurm-job BATCH INDEX`. Returns
/// the exit code.
int run_slurm_job(const std::string& folder, const std::string& index);

}  // namespace gabbro::cli
