// Runs the tasks of several designs at once, each in a thread of its own, so that training never waits for
// model calls.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "agents/brief.h"
#include "record/task.h"

namespace gabbro::agents {

class TaskPool {
 public:
  /// Makes a design from a brief; it is called from several threads at once. A report with the cause
  /// "stopped" is discarded; the task has to begin again.
  using Work = std::function<record::TaskReport(const Brief&)>;
  struct Done {
    std::int64_t task = 0;
    record::TaskReport report;
  };

  /// `places`: maximum number of tasks at once. `cancel` makes calls in progress end soon.
  TaskPool(Work work, int places, std::function<void()> cancel = {});
  ~TaskPool();  // cancels, then waits for the threads
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  [[nodiscard]] int places() const { return places_; }
  [[nodiscard]] int running() const;
  void begin(Brief brief);
  /// Returns the tasks that ended since the last call, in the order in which they ended. Does not wait.
  std::vector<Done> poll();
  /// Waits for one task and takes its report. The task must be running, or ended and not yet polled.
  Done wait(std::int64_t task);
  /// Stops waiting for replies; tasks end with the cause "stopped".
  void stop();

 private:
  const Work work_;
  const int places_;
  const std::function<void()> cancel_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::map<std::int64_t, std::thread> threads_;
  std::vector<Done> done_;
};

}  // namespace gabbro::agents
