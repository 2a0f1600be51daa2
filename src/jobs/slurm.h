// Runs jobs on a Slurm cluster.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "jobs/jobs.h"
#include "jobs/slurm_options.h"

namespace gabbro::jobs {

struct SlurmOptions {
  std::string dir;  // folder of the campaign, which this machine and all nodes see under the same path
  SlurmSettings settings;
  std::string program;  // `gabbro`, as nodes see it; empty: this program
  // A job that has ended in Slurm may have left its end in a file that a network file system shows this late.
  double file_seconds = 10;
  double lost_start_seconds = 1;  // before the next submission after a job that never began; it doubles
  double retry_seconds = 10;      // between two attempts while the controller does not answer
  // Environment variables that jobs do not inherit.
  std::vector<std::string> hidden = {};
};

/// Runs jobs on a Slurm cluster: `start` keeps a job, and `wait` submits all that were kept as arrays, one
/// for each kind of job. A job runs `gabbro slurm-job`, which runs the worker in its sandbox and with its
/// limits as `local_executor` does. Progress and ends come through files in the campaign's folder
/// (jobs/slurm_tasks.h), and one call of squeue at a time asks for all jobs. A job that ends without a file
/// was ended by the cluster or failed before its worker began (JobEnd::Kind::kCluster), or its worker left
/// nothing (kCrash).
///
/// Jobs continue when this process ends. The next executor of the campaign finds them (`attached`), and none
/// runs twice: a task belongs to the process that creates its claim. While the controller does not answer,
/// everything waits for it. Errors: "io", "jobs" (no squeue, or no answer of the controller; a file of a task
/// that cannot be read). `JobEvents::error` is a submission that sbatch refuses.
Result<std::unique_ptr<Executor>> slurm_executor(const SlurmOptions& options);

/// Returns what the campaign in `dir` had on its cluster when it last looked, with the time; "" if it has no
/// cluster.
std::string slurm_status(const std::string& dir);

}  // namespace gabbro::jobs
