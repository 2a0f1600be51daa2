// Where work is done. A job is a worker's spec file and a place for its result; an executor runs some at a
// time and says how each ended.
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

/// Set from outside; 0: none. Memory is what the worker and its descendants keep resident. At a limit they
/// are killed.
struct Limits {
  double seconds = 0;
  std::uint64_t bytes = 0;
  // What no honest worker comes near.
  int processes = 64;
  std::uint64_t log_bytes = 64 << 20, result_bytes = 8 << 20;
  std::uint64_t folder_bytes =
      std::uint64_t{256} << 30;  // all files of its folder, and each of them; at most four times `bytes`
};

struct Job {
  std::int64_t id = 0;  // the caller's
  std::string spec_file, result_file;
  Limits limits;
  std::string log_file;  // the worker's standard error is added to it; empty: that of this program
  std::vector<std::string> reads =
      {};                // files and folders that it reads beside its spec: a corpus, benchmarks
  bool devices = false;  // it works on a GPU
};

/// How a worker ended. Without a result, `cause` says why: a crash, a limit with its numbers, an exit code, a
/// result file that is no result. kLimit: one of the limits on processes and files. kStopped: it left no
/// result because its executor asked it to stop, or killed it; that says nothing of the job.
struct Ended {
  enum class Kind : std::uint8_t { kResult, kCrash, kTimeLimit, kMemoryLimit, kLimit, kStopped };
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
  /// Starts `job` in a free slot. An old result file is removed first. The worker may write into the folder
  /// of its result, and no other. Errors: "jobs" (no worker program, no process, no free slot), "sandbox".
  virtual Result<bool> start(const Job& job) = 0;
  /// What happened since the last call; waits for the first news, at most `seconds`, or until a signal comes
  /// (one that comes just before the call is not noticed: keep `seconds` short). Returns at once when nothing
  /// is running.
  virtual News wait(double seconds) = 0;
  /// What stands around its workers (sandbox::Machine::text), for the record; empty: it does not say.
  [[nodiscard]] virtual std::string sandbox() const { return ""; }
  /// Asks all running jobs to stop at their next step, with a checkpoint; their ends come by `wait`.
  virtual void stop() = 0;
  /// Kills them, with all that they started; their ends come by `wait`. The destructor does it too.
  virtual void kill() = 0;
};

struct LocalOptions {
  int slots = 1;
  std::string worker;  // the program; empty: gabbro-worker beside this program
  std::vector<std::string> hidden =
      {};  // variables that workers do not get even if they are among those that reach them
  double stop_seconds = 120;                     // between being asked to stop and being killed
  std::optional<sandbox::Machine> machine = {};  // what sandboxes are made of; unset: what this machine has
};

/// Processes on this machine, each in a sandbox (sandbox/sandbox.h) and in a process group of its own with
/// standard input closed, standard output as progress (other lines are left out, and what is more than some
/// megabytes a second waits in the pipe) and OMP_WAIT_POLICY=PASSIVE. Limits are watched twenty times a
/// second by the monotonic clock: a worker may exceed one by what it takes in that time. Whatever a worker
/// started is killed at its end, also what left its group. Should this process die, its workers are told to
/// stop. Errors, "jobs": no slots, no worker program.
Result<std::unique_ptr<Executor>> local_executor(const LocalOptions& options);

}  // namespace gabbro::jobs
