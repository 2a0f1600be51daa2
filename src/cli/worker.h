// A worker process, from start to end: whatever becomes of it is a value for the caller.
#pragma once

#include <string>
#include <vector>

#include "jobs/jobs.h"
#include "record/progress.h"

namespace gabbro::cli {

/// What a worker needs from outside of the folder of its result: files and folders, a GPU.
struct Needs {
  std::vector<std::string> reads = {};
  std::string device = "cpu";
};
/// A run's folder with the corpus that it names.
Needs needs_of_run(const std::string& folder, const std::string& device);
/// The file of each benchmark, "FILE" or "NAME=FILE".
void add_tasks(Needs& needs, const std::vector<std::string>& tasks);

/// Runs gabbro-worker (beside this program) in its sandbox on `spec_file` and waits for its end. Ctrl-C and
/// SIGTERM ask it to stop, a second one kills; should this process die, the worker is told to stop.
/// `progress` returning false stops the worker as Ctrl-C does. An old result file is removed first. Errors:
/// those of jobs::local_executor and of its `start`.
Result<jobs::Ended> run_worker(const std::string& spec_file, const std::string& result_file,
                               const jobs::Limits& limits, const Needs& needs,
                               const record::OnProgress& progress);

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
