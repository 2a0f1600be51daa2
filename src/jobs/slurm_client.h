// Calls of Slurm's programs: sbatch, squeue and scancel, as processes with machine-readable output.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::jobs {

/// A task of an array, as squeue lists it.
struct SlurmJobState {
  std::string array, batch;  // number of the array; the batch, as given to sbatch in --comment
  int index = 0;
  std::string state;   // RUNNING, PENDING, COMPLETED, NODE_FAIL ...
  std::string node;    // first node that runs it
  std::string reason;  // why it waits or ended
};

/// Returns true for the states in which a job waits, runs, or is about to.
bool is_active(const std::string& state);
/// Returns true for the states of jobs that Slurm or a person ended (node failure, preemption, cancellation,
/// time limit), which say nothing about the job's program.
bool is_ended_by_cluster(const std::string& state);

/// Slurm's programs, as found in PATH. A call that takes longer than a minute is given up.
class SlurmClient {
 public:
  /// `log` is a file for messages of the programs; `hidden` are variables that jobs do not inherit.
  SlurmClient(std::string log, std::vector<std::string> hidden)
      : log_(std::move(log)), hidden_(std::move(hidden)) {}

  /// Submits a script and returns the number of its array. Errors: "jobs" with the message of sbatch.
  Result<std::string> submit(const std::vector<std::string>& options, const std::string& script);
  /// Lists all jobs of this name, including those that ended in the last minutes. Errors: "jobs".
  Result<std::vector<SlurmJobState>> list(const std::string& name);
  /// Cancels by these options of scancel. Reports no errors: jobs may be gone already, and the caller tries
  /// again for the others.
  void cancel(const std::vector<std::string>& options);

  /// Returns the number of calls of each program.
  [[nodiscard]] const std::map<std::string, int>& calls() const { return calls_; }

 private:
  Result<std::string> run(const std::string& program, const std::vector<std::string>& arguments);

  std::string log_;
  std::vector<std::string> hidden_;
  std::map<std::string, int> calls_;
};

/// The reason for which a submission failed. It decides whether it is repeated.
enum class SubmitFailure : std::uint8_t {
  kPermanent,    // it will be refused again
  kNoAnswer,     // the controller did not answer; it may have accepted the job
  kQueueFull,    // the user has as many jobs as allowed
  kNoNodesLeft,  // no node remains beside the excluded ones
};
SubmitFailure submit_failure_of(const Error& error);

}  // namespace gabbro::jobs
