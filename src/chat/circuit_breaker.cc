#include "chat/circuit_breaker.h"

#include <fmt/format.h>

#include <algorithm>

namespace gabbro::chat {

bool CircuitBreaker::closed() const {
  const double now = now_();
  return down_ && now >= since_ && now < until_;
}

Result<bool> CircuitBreaker::enter() {
  std::unique_lock lock(mutex_);
  free_.wait(lock, [&] { return running_ < calls_ || stopped_ || closed(); });
  if (stopped_) return fail("stopped", "stopped before " + name_ + " was asked");
  if (closed() || (down_ && trying_))
    return fail("chat down",
                fmt::format("{} is paused for {:.0f} s: {}", name_, std::max(0.0, until_ - now_()), why_));
  trying_ = down_;
  ++running_;
  return true;
}

void CircuitBreaker::leave() {
  {
    const std::lock_guard lock(mutex_);
    --running_;
    // If the trial call ended without a verdict, the next call is the trial.
    if (running_ == 0) trying_ = false;
  }
  free_.notify_all();
}

void CircuitBreaker::succeeded() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
  down_ = trying_ = false;
  pause_ = kFirstPause;
}

void CircuitBreaker::failed(const std::string& why, double pause) {
  {
    const std::lock_guard lock(mutex_);
    if (closed()) return;  // The call began before the pause.
    ++failures_;
    if (failures_ < limit_ && pause <= 0 && !down_) return;
    why_ = why;
    since_ = now_();
    until_ = since_ + std::max(pause_, std::min(pause, kLongestAsked));
    pause_ = std::min(2 * pause_, kLongestPause);
    down_ = true;
    trying_ = false;
  }
  free_.notify_all();
}

std::optional<std::string> CircuitBreaker::paused() const {
  const std::lock_guard lock(mutex_);
  if (!closed()) return std::nullopt;
  return fmt::format("{}: {}", name_, why_);
}

void CircuitBreaker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  free_.notify_all();
}

}  // namespace gabbro::chat
