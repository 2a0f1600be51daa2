#include "chat/circuit_breaker.h"

#include <fmt/format.h>

#include <algorithm>

namespace gabbro::chat {

bool CircuitBreaker::is_pausing() const {
  const double now = now_();
  // A time before the start means that the clock was set back.
  return down_ && now >= pause_start_ && now < pause_end_;
}

Result<bool> CircuitBreaker::enter() {
  std::unique_lock lock(mutex_);
  slot_freed_.wait(lock, [&] { return running_ < max_calls_ || stopped_ || is_pausing(); });
  if (stopped_) return fail("stopped", "stopped before " + name_ + " was asked");
  if (is_pausing() || (down_ && trial_running_))
    return fail("chat down", fmt::format("{} is paused for {:.0f} s: {}", name_,
                                         std::max(0.0, pause_end_ - now_()), reason_));
  trial_running_ = down_;
  ++running_;
  return true;
}

void CircuitBreaker::leave() {
  {
    const std::lock_guard lock(mutex_);
    --running_;
    // If the trial call ended without success or failure, the next call is the trial.
    if (running_ == 0) trial_running_ = false;
  }
  slot_freed_.notify_all();
}

void CircuitBreaker::report_success() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
  down_ = trial_running_ = false;
  next_pause_ = kFirstPause;
}

void CircuitBreaker::report_failure(const std::string& reason, double pause) {
  {
    const std::lock_guard lock(mutex_);
    if (is_pausing()) return;  // The call began before the pause.
    ++failures_;
    if (failures_ < failure_limit_ && pause <= 0 && !down_) return;
    reason_ = reason;
    pause_start_ = now_();
    pause_end_ = pause_start_ + std::max(next_pause_, std::min(pause, kLongestRequestedPause));
    next_pause_ = std::min(2 * next_pause_, kLongestPause);
    down_ = true;
    trial_running_ = false;
  }
  slot_freed_.notify_all();
}

std::optional<std::string> CircuitBreaker::pause_reason() const {
  const std::lock_guard lock(mutex_);
  if (!is_pausing()) return std::nullopt;
  return fmt::format("{}: {}", name_, reason_);
}

void CircuitBreaker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  slot_freed_.notify_all();
}

}  // namespace gabbro::chat
