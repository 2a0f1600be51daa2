// Runs a worker process from start to end and returns its outcome as a value.
#pragma once

#include <string>
#include <vector>

#include "jobs/jobs.h"
#include "record/job.h"
#include "record/progress.h"
#include "record/spelling.h"

namespace gabbro::cli {

/// The resources that a worker needs outside the folder of its result: files and folders to read, and an
/// engine.
struct Needs {
  std::vector<std::string> reads = {};
  record::JobEngine engine = {};
};
/// Returns a run's folder and the corpus that the run names; the folder alone if its spec cannot be read.
Needs needs_of_run(const std::string& folder, const record::JobEngine& engine = {});
/// Adds the file of each benchmark, given as "FILE" or "NAME=FILE", to the files that are read.
void add_tasks(Needs& needs, const std::vector<std::string>& tasks);

/// Runs gabbro-worker (next to this program) in its sandbox on `spec_file` and waits for its end. Ctrl-C and
/// SIGTERM ask it to stop; a second signal kills it. If this process dies, the worker is asked to stop.
/// `progress` stops the worker, as Ctrl-C does, by returning false. An old result file is removed first.
/// Errors: those of jobs::local_executor and of its `start`.
Result<jobs::JobEnd> run_worker(const std::string& spec_file, const std::string& result_file,
                                const jobs::WorkerLimits& limits, const Needs& needs,
                                const record::OnProgress& progress);

/// Shows progress on standard error: on a terminal as one line that is overwritten, otherwise as a line every
/// ten seconds.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  void show(const std::string& text);

 private:
  bool terminal_;
  bool open_ = false;   // The terminal shows a line without a line end.
  double last_ = -1e9;  // seconds_now() of the last line
};

/// Describes progress: step, loss, speed and seconds left for "training"; the completed share for other
/// stages.
std::string progress_text(const record::Progress& p);

}  // namespace gabbro::cli
