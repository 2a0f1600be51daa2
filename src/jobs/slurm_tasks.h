// The jobs of a campaign on a Slurm cluster, as files in the campaign's folder. These files are what connects
// the search process with its jobs, and what a later process finds them by.
//
//   slurm/campaign            name of the campaign's jobs in Slurm, and the folder that it belongs to
//   slurm/BATCH/              jobs that are submitted as one array; the folder appears at once, with
//   slurm/BATCH/INDEX.json      a task of the array: a job that is not done with
//   slurm/BATCH/script          what Slurm runs
//   slurm/BATCH/id              number of the array in Slurm, written after the submission
//   slurm/BATCH/INDEX.claim     written once, by the process that runs the task, or by the search process
//                               when it gives the task up: whoever creates this file decides
//   slurm/BATCH/INDEX.progress  the latest progress
//   slurm/BATCH/INDEX.out       output of the script and of `gabbro slurm-job`
//   slurm/ends/BATCH.INDEX    how a job ended
//   slurm/history             a line for each job that was submitted, and for how it ended
//
// No worker can write these files: its sandbox has the folder of its result alone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "jobs/jobs.h"

namespace gabbro::jobs {

/// A job on the cluster.
struct SlurmTask {
  std::string batch;
  int index = 0;  // in the array of its batch
  Job job;

  /// Returns a name that no other task of the campaign has.
  [[nodiscard]] std::string name() const;
};

/// The owner of a task: the process that created its claim.
struct SlurmClaim {
  std::string slurm_job;  // number of the array in Slurm; empty: the search process gave the task up
  std::string node;
};

/// The files of a campaign's tasks. All functions may be called while jobs run.
class SlurmFolder {
 public:
  /// Opens the folder `dir`/slurm, and creates it if it does not exist. A folder that belongs to a campaign
  /// in another place (a copy) gets a new name and no tasks. Errors: "io".
  static Result<SlurmFolder> open(const std::string& dir);

  /// Returns the name of all jobs of the campaign in Slurm.
  [[nodiscard]] const std::string& job_name() const { return job_name_; }
  [[nodiscard]] std::string batch_folder(const std::string& batch) const;
  [[nodiscard]] std::string path() const { return path_; }

  /// Writes the tasks of a new batch, and the script that runs them in the folder of the batch. Returns the
  /// name of the batch, which is larger than that of every earlier one. Errors: "io".
  Result<std::string> create_batch(const std::vector<Job>& jobs,
                                   const std::function<std::string(const std::string& folder)>& script) const;
  /// Returns the tasks of all batches in the order of their creation. Errors: "io", "jobs" (a file that this
  /// program did not write).
  [[nodiscard]] Result<std::vector<SlurmTask>> tasks() const;
  /// Returns the number of a batch in Slurm; "" while it is unknown.
  [[nodiscard]] std::string slurm_id(const std::string& batch) const;
  Result<bool> set_slurm_id(const std::string& batch, const std::string& id) const;

  /// Returns the claim of a task; nullopt if nobody runs it yet.
  [[nodiscard]] std::optional<SlurmClaim> claim_of(const SlurmTask& task) const;
  /// Gives a task up. Returns false if a process runs it, or has run it.
  [[nodiscard]] bool give_up(const SlurmTask& task) const;
  /// Returns the names of all tasks that have left an end.
  [[nodiscard]] std::vector<std::string> ended() const;
  /// Reads the end of a task. Errors: "io", "jobs".
  [[nodiscard]] Result<JobEnd> end_of(const SlurmTask& task) const;
  /// Returns the progress of a task; nullopt if there is none.
  [[nodiscard]] std::optional<record::Progress> progress_of(const SlurmTask& task) const;
  /// Returns the time at which the progress was written, in nanoseconds; 0: never.
  [[nodiscard]] std::int64_t progress_time(const SlurmTask& task) const;
  /// Returns the last lines that the script of a task printed, as one line.
  [[nodiscard]] std::string last_output(const SlurmTask& task) const;
  /// Removes the files of a task that is done with. The first is the one that makes it a task.
  void remove(const SlurmTask& task) const;

 private:
  SlurmFolder(std::string path, std::string job_name)
      : path_(std::move(path)), job_name_(std::move(job_name)) {}
  [[nodiscard]] std::string file(const SlurmTask& task, const char* kind) const;
  [[nodiscard]] std::string end_file(const SlurmTask& task) const;

  std::string path_, job_name_;
};

/// Runs the task `index` of the batch in `folder`, as a job of Slurm does (`gabbro slurm-job`), by the
/// executor of this machine. `asked_to_stop` returns a number above 0 once Slurm asks the job to end: its
/// worker then leaves a checkpoint, and the end says that the cluster cut the job short. A task that is
/// claimed is not run again. A task that is removed meanwhile is killed. Errors: "io", "jobs".
Result<bool> run_slurm_task(const std::string& folder, int index, int (*asked_to_stop)(),
                            const LocalOptions& options = {});

}  // namespace gabbro::jobs
