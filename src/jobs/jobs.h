// Where work is done. A job is a worker's spec file and a place for its result; an executor runs some at a time and says how each ended.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/progress.h"

namespace gabbro::jobs {

/// Set from outside; 0: none. At a limit the worker and all that it started are killed.
struct Limits {
  double seconds = 0;
  std::uint64_t bytes = 0;
};

struct Job {
  std::int64_t id = 0;  // the caller's
  std::string spec_file, result_file;
  Limits limits;
};

/// How a worker ended. Without a result, `cause` says why: a crash, a limit with its numbers, an exit code, a result file that is no result.
struct Ended {
  enum class Kind : std::uint8_t { kResult, kCrash, kTimeLimit, kMemoryLimit };
  std::int64_t id = 0;
  Kind kind = Kind::kResult;
  std::string result;  // the text of the result file
  std::string cause;
  double seconds = 0;
  std::uint64_t peak_bytes = 0;
};

/// One progress report of a running job.
struct Update {
  std::int64_t id = 0;
  record::Progress progress;
};

struct News {
  std::vector<Update> updates;
  std::vector<Ended> ended;
};

/// The executors: local processes now, Slurm next. Not for use from several threads.
class Executor {
 public:
  virtual ~Executor() = default;
  /// How many jobs run at a time.
  [[nodiscard]] virtual int slots() const = 0;
  [[nodiscard]] virtual int running() const = 0;
  /// Starts `job` in a free slot. An old result file is removed first. Errors: "jobs" (no worker program, no process, no free slot).
  virtual Result<bool> start(const Job& job) = 0;
  /// What happened since the last call; waits for the first news, at most `seconds`, or until a signal comes.
  virtual News wait(double seconds) = 0;
  /// Asks all running jobs to stop at their next step, with a checkpoint; their ends come by `wait`.
  virtual void stop() = 0;
  /// Kills them, with all that they started.
  virtual void kill() = 0;
};

struct LocalOptions {
  int slots = 1;
  std::string worker;  // the program; empty: gabbro-worker beside this program
};

/// Processes on this machine, each in a process group of its own with standard input closed and OMP_WAIT_POLICY=PASSIVE. Limits
/// are watched twenty times a second by the monotonic clock and the resident memory of the group. Should this process die, its workers are told to
/// stop.
Result<std::unique_ptr<Executor>> local_executor(const LocalOptions& options);

}  // namespace gabbro::jobs
