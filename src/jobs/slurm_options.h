// The settings of jobs on a Slurm cluster, as a table in TOML.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::jobs {

/// Options of `sbatch` for a kind of jobs. Empty: the default of the cluster.
struct SlurmRequest {
  std::string partition, account, qos, constraint;
  std::string gres;  // generic resource of jobs with GPUs, without its number; empty: "gpu"
  // Time limit in Slurm's notation ("90", "4:00:00", "2-12"). Empty: the limit of the job and the time to
  // stop.
  std::string time;
  std::int64_t cpus = 0;             // per job; 0: the threads of the job
  std::int64_t megabytes = 0;        // per job; 0: the memory limit of the job and a margin
  std::vector<std::string> options;  // further options of sbatch, such as "--exclusive"
  std::string prologue;              // lines of bash before the job: modules, variables
};

/// The table [slurm]. Rungs that differ have tables of their own, such as [slurm.rungs.14M].
struct SlurmSettings {
  SlurmRequest request;
  std::map<std::string, SlurmRequest> rungs;  // complete: what a rung does not set is that of `request`
  std::int64_t max_jobs = 100;                // maximum number of jobs that are pending or run
  std::int64_t array = 200;                   // maximum number of jobs in an array
  double poll_seconds = 10;                   // time between two calls of squeue, at least
  // Time for a job to leave its checkpoint, before the time limit and after a request to stop.
  double stop_seconds = 120;

  /// Returns the options for a rung's jobs; for jobs of no rung, those of the table itself.
  [[nodiscard]] const SlurmRequest& request_of(const std::string& rung) const;
};

/// Parses the settings. Errors: "jobs" for invalid TOML, an unknown key, a value of another type or out of
/// range, with its position.
Result<SlurmSettings> parse_slurm_settings(const std::string& toml);

/// Parses a time limit as sbatch does: MINUTES, MINUTES:SECONDS, HOURS:MINUTES:SECONDS, DAYS-HOURS,
/// DAYS-HOURS:MINUTES or DAYS-HOURS:MINUTES:SECONDS. Returns seconds; nullopt for anything else.
std::optional<double> parse_slurm_time(const std::string& text);

}  // namespace gabbro::jobs
