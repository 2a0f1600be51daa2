#include "agents/task_pool.h"

#include <algorithm>
#include <utility>

namespace gabbro::agents {

TaskPool::TaskPool(Work work, int max_running, std::function<void(double)> cancel)
    : work_(std::move(work)), max_running_(max_running), cancel_(std::move(cancel)) {}

TaskPool::~TaskPool() {
  stop();
  for (auto& [task, thread] : threads_) thread.join();
}

int TaskPool::running() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(threads_.size() - done_.size());
}

void TaskPool::begin(Brief brief) {
  const std::lock_guard lock(mutex_);
  const std::int64_t task = brief.task;
  GABBRO_CHECK(!threads_.contains(task));
  threads_.emplace(task, [this, brief = std::move(brief)] {
    record::TaskReport report = work_(brief);
    const std::lock_guard inner(mutex_);
    done_.push_back({brief.task, std::move(report)});
    ended_.notify_all();
  });
}

std::vector<TaskPool::Done> TaskPool::poll() {
  const std::lock_guard lock(mutex_);
  for (const Done& d : done_) {
    threads_.at(d.task).join();  // The thread has nothing left to do but return.
    threads_.erase(d.task);
  }
  return std::exchange(done_, {});
}

TaskPool::Done TaskPool::wait(std::int64_t task) {
  std::unique_lock lock(mutex_);
  GABBRO_CHECK(threads_.contains(task));
  const auto found = [&] {
    return std::find_if(done_.begin(), done_.end(), [&](const Done& d) { return d.task == task; });
  };
  ended_.wait(lock, [&] { return found() != done_.end(); });
  const auto at = found();
  Done out = std::move(*at);
  done_.erase(at);
  threads_.at(task).join();
  threads_.erase(task);
  return out;
}

void TaskPool::stop(double seconds) {
  if (cancel_) cancel_(seconds);
}

}  // namespace gabbro::agents
