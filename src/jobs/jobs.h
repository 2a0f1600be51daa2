// The interface for running jobs. A job is a spec file for a worker and a path for its result. An executor
// runs several jobs at a time and reports how each ended.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/progress.h"
#include "sandbox/sandbox.h"

namespace gabbro::jobs {

/// Limits of a worker and its descendants together. They are killed when they exceed one. At the time limit,
/// the worker is first asked to stop.
struct WorkerLimits {
  double seconds = 0;              // 0: no limit
  std::uint64_t memory_bytes = 0;  // resident memory; 0: no limit
  // Limits that no honest worker comes near.
  int processes = 64;
  std::uint64_t log_bytes = 64 << 20, result_bytes = 8 << 20;
  // Limit of all files in the folder of the result together, and of each of them. With a limit of memory, it
  // is at most four times that limit.
  std::uint64_t folder_bytes = std::uint64_t{256} << 30;
};

struct Job {
  std::int64_t id = 0;  // chosen by the caller
  std::string spec_file, result_file;
  WorkerLimits limits;
  // The worker's standard error is appended to this file. Empty: standard error is that of this program.
  std::string log_file;
  // Files and folders that the job reads in addition to its spec: a corpus, benchmarks.
  std::vector<std::string> reads = {};
  bool devices = false;        // The job uses GPUs.
  bool python = false;         // The job runs PyTorch in Python (jobs/python.h).
  bool multi_process = false;  // The job runs in several processes, which connect to each other.
  std::string rung = {};       // The rung that it belongs to; a cluster may run rungs differently. "": none.
  int threads = 1;             // number of threads that the worker uses
  int gpus = 0;                // number of GPUs that the worker uses
  bool continues = false;      // The worker begins from a checkpoint.
};

/// A job that an earlier process started.
struct AttachedJob {
  std::int64_t id = 0;
  bool continues = false;  // as its Job
  friend bool operator==(const AttachedJob&, const AttachedJob&) = default;
};

/// The end of a worker. Without a result, `cause` gives the reason: a crash, a limit with its numbers, an
/// exit code, or an invalid result file. kLimit is a limit on processes or files. kStopped means
/// that the worker left no result because its executor asked it to stop or killed it, which says nothing
/// about the job. kCluster means the same for a cluster that ended the job before it was done: a node failed,
/// another job preempted it, the cluster's time limit was reached, or somebody cancelled it.
struct JobEnd {
  enum class Kind : std::uint8_t { kResult, kCrash, kTimeLimit, kMemoryLimit, kLimit, kStopped, kCluster };
  std::int64_t id = 0;
  Kind kind = Kind::kResult;
  std::string result;            // text of the result file; "" unless `kind` is kResult
  std::string cause;             // "" if `kind` is kResult
  double seconds = 0;            // duration, without times in which the machine stood still
  std::uint64_t peak_bytes = 0;  // maximum resident memory at a check, descendants included
};

/// One progress report of a running job.
struct Update {
  std::int64_t id = 0;
  record::Progress progress;
};

/// Everything that happened to the jobs since the last call of Executor::wait.
struct JobEvents {
  std::vector<Update> updates;
  std::vector<JobEnd> ended;
  std::optional<Error> error = {};  // No job can be started any more; those that run go on.
};

/// Base class of executors: local processes, or jobs on a Slurm cluster (jobs/slurm.h). Not thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Returns the number of jobs that can run at the same time.
  [[nodiscard]] virtual int slots() const = 0;
  /// Returns the number of jobs that have started and whose end was not yet reported.
  [[nodiscard]] virtual int running() const = 0;
  /// Starts `job` in a free slot. An old result file is removed first. The worker may write only into the
  /// folder of its result. Errors: "jobs" (no worker program, no process, no free slot), "sandbox", "python".
  virtual Result<bool> start(const Job& job) = 0;
  /// Returns the events since the last call. Waits for the first event, but at most `seconds`, and not past a
  /// signal. A signal that arrives just before the call is not noticed, so `seconds` should be short. Returns
  /// at once if no job is running.
  virtual JobEvents wait(double seconds) = 0;
  /// Returns the jobs that an earlier process started and whose end nobody has accepted yet. They
  /// count as running, and `wait` reports their ends. Local workers end with the process that started them,
  /// so there are none.
  [[nodiscard]] virtual std::vector<AttachedJob> attached() const { return {}; }
  /// Ends the job `id` if it is there, and reports nothing about it.
  virtual void discard(std::int64_t id) = 0;
  /// Describes the jobs of a cluster: how many run, wait, and for what. Returns "" for local workers.
  [[nodiscard]] virtual std::string status() const { return ""; }
  /// Returns the free bytes of the disk on which jobs write into `folder`; nullopt if unknown.
  [[nodiscard]] virtual std::optional<std::uint64_t> free_bytes(const std::string& folder) const;
  /// Describes the sandbox of its workers (sandbox::Machine::text), for the record. Returns "" if unknown.
  [[nodiscard]] virtual std::string sandbox() const { return ""; }
  /// Asks all running jobs to stop at their next step, with a checkpoint. `wait` reports their ends.
  virtual void stop() = 0;
  /// Kills all running jobs and every process that they started. `wait` reports their ends. The destructor of
  /// an executor of local workers does this too; jobs of a cluster continue without their executor.
  virtual void kill() = 0;
};

struct LocalOptions {
  int slots = 1;
  std::string worker;  // worker program; empty: gabbro-worker in the folder of this program
  // Environment variables that are withheld from workers although sandbox::passes allows them.
  std::vector<std::string> hidden = {};
  double stop_seconds = 120;  // time between a request to stop and the kill
  // Borders to use for sandboxes. Unset: all that this machine supports.
  std::optional<sandbox::Machine> machine = {};
};

/// Runs jobs as processes on this machine, each in a sandbox (sandbox/sandbox.h) and in its own process
/// group. Standard input is empty. Standard output is read as progress; other lines are ignored, and output
/// beyond some megabytes per second waits in the pipe. Workers run with OMP_WAIT_POLICY=PASSIVE. Limits are
/// checked twenty times per second by the monotonic clock, so a worker may exceed one by what it uses in that
/// time. If more than a second passes between two checks, as on a machine that stood still, only one second
/// counts as time of the workers. When a worker ends, every process that it started is killed, including
/// those that left its group. If this process dies, its workers are told to stop. Errors: "jobs" (no slots,
/// no worker program).
Result<std::unique_ptr<Executor>> local_executor(const LocalOptions& options);

}  // namespace gabbro::jobs
