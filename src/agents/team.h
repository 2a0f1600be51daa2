// Designs in the making at the same time, each in a thread of its own, so that whoever trains never waits for
// whoever thinks.
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

class Team {
 public:
  /// What makes a design of a brief; called from several threads at once. A report of cause "stopped" is
  /// none: the task is to be begun again.
  using Work = std::function<record::TaskReport(const Brief&)>;
  struct Done {
    std::int64_t task = 0;
    record::TaskReport report;
  };

  /// `places`: how many tasks at a time. `cancel` makes calls that are under way end soon.
  Team(Work work, int places, std::function<void()> cancel = {});
  ~Team();  // cancels, and waits for the threads
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  [[nodiscard]] int places() const { return places_; }
  [[nodiscard]] int running() const;
  void begin(Brief brief);
  /// Tasks that are over since the last call, in the order in which they ended. Does not wait.
  std::vector<Done> poll();
  /// Waits for one task and takes its report; it must be under way, or over and not yet polled.
  Done wait(std::int64_t task);
  /// No more replies are waited for; tasks end with cause "stopped".
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
