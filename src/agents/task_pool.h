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

/// Seconds for which calls in progress are waited for at the end, since what is cut off counts with its
/// maximum cost.
inline constexpr double kSecondsForLastCalls = 15;

class TaskPool {
 public:
  /// Makes a design from a brief; it is called from several threads at once. A report with the cause
  /// "stopped" is discarded; the task has to begin again.
  using Work = std::function<record::TaskReport(const Brief&)>;
  struct Done {
    std::int64_t task = 0;
    record::TaskReport report;
  };

  /// `max_running` is the number of tasks at once that the caller keeps to; `begin` does not enforce it.
  /// `cancel` makes no call begin any more, and those in progress end after a number of seconds; may be
  /// empty.
  TaskPool(Work work, int max_running, std::function<void(double seconds)> cancel = {});
  ~TaskPool();  // cancels at once, then waits for the threads
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  [[nodiscard]] int max_running() const { return max_running_; }
  [[nodiscard]] int running() const;
  /// Starts a thread for the brief. No other task of this number may be running or waiting for `poll`.
  void begin(Brief brief);
  /// Returns the tasks that ended since the last call, in the order in which they ended. Does not wait.
  std::vector<Done> poll();
  /// Waits for one task and takes its report. The task must be running, or ended and not yet polled.
  Done wait(std::int64_t task);
  /// Calls `cancel`, so that tasks ask nothing more and end with the cause "stopped", within `seconds`, or
  /// about a second later. A task whose last call ends in this time is completed. Returns at once.
  void stop(double seconds = 0);

 private:
  const Work work_;
  const int max_running_;
  const std::function<void(double)> cancel_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::map<std::int64_t, std::thread> threads_;
  std::vector<Done> done_;
};

}  // namespace gabbro::agents
