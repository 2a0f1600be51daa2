// A worker process, from start to end: whatever becomes of it is a value for the caller.
#pragma once

#include <cstdint>
#include <string>

#include "record/progress.h"

namespace gabbro::cli {

/// Set from outside; 0: none. Memory is what the worker keeps resident (measured twenty times a second, so that a worker may exceed the
/// limit by what it takes in a twentieth of a second). At a limit the worker and what it started are killed.
struct WorkerLimits {
  double seconds = 0;
  std::uint64_t bytes = 0;
};

/// How a worker ended. Without a result, `cause` says why: a crash, a limit with its numbers, an exit code.
struct WorkerEnd {
  enum class Kind : std::uint8_t { kResult, kCrash, kTimeLimit, kMemoryLimit } kind = Kind::kResult;
  std::string result;  // the text of the result file
  std::string cause;
  double seconds = 0;
  std::uint64_t peak_bytes = 0;  // the largest that was measured
};

/// Starts gabbro-worker (beside this program) on `spec_file` in a process group of its own, with standard input closed and standard
/// output as progress, and waits for its end. Ctrl-C and SIGTERM are passed on as SIGTERM, a second one kills; should this process die, the
/// worker is told to stop. `progress` returning false stops the worker as Ctrl-C does. An old result file is removed first. Errors: "worker" (no
/// worker program, no pipe, no process).
Result<WorkerEnd> run_worker(const std::string& spec_file, const std::string& result_file,
                             const WorkerLimits& limits, const record::OnProgress& progress);

/// Progress on standard error: on a terminal one line that is overwritten, else every tenth second a line.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void show(const std::string& text);

 private:
  bool terminal_;
  bool open_ = false;  // a line without an end stands on the terminal
  double last_ = -1e9;
};

/// "training": step, loss, speed, time left; other stages: their share.
std::string progress_text(const record::Progress& p);

}  // namespace gabbro::cli
