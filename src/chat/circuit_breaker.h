// The circuit breaker of an endpoint: limits the calls in progress and refuses calls while the endpoint is
// down.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "chat/config.h"

namespace gabbro::chat {

/// Pauses the endpoint after `calls` + `retries` (config.h) failed attempts in a row. The first pause lasts
/// half a minute; each further one is twice as long, up to ten minutes. After a pause one trial call is
/// allowed while others are still refused. `now` is a clock in seconds; setting it back does not lengthen a
/// pause. Thread-safe.
class CircuitBreaker {
 public:
  static constexpr double kFirstPause = 30, kLongestPause = 600, kLongestRequestedPause = 3600;  // seconds

  CircuitBreaker(const Endpoint& endpoint, std::function<double()> now)
      : now_(std::move(now)),
        name_(endpoint.name),
        max_calls_(endpoint.calls),
        failure_limit_(endpoint.calls + endpoint.retries) {}

  /// Waits until one of the endpoint's slots for calls is free, and takes it. Errors: "chat down" (paused,
  /// with the reason), "stopped".
  Result<bool> enter();
  /// Returns the slot that `enter` took.
  void leave();
  /// Reports that an attempt succeeded, so that the endpoint is up.
  void report_success();
  /// Reports a failed attempt. If `pause` is above 0, the endpoint asked for a pause of this many seconds and
  /// is paused at once, for at most an hour.
  void report_failure(const std::string& reason, double pause = 0);
  /// Returns the reason for a pause; empty if the endpoint is not paused or may be tried again.
  [[nodiscard]] std::optional<std::string> pause_reason() const;
  /// Ends all waiting in `enter`, now and later.
  void stop();

 private:
  /// The caller holds the mutex.
  [[nodiscard]] bool is_pausing() const;

  const std::function<double()> now_;
  const std::string name_;
  const int max_calls_, failure_limit_;
  mutable std::mutex mutex_;
  std::condition_variable slot_freed_;
  int running_ = 0, failures_ = 0;  // slots taken; failures in a row
  bool stopped_ = false;
  bool down_ = false;  // there was a pause, and no call has succeeded since
  bool trial_running_ = false;
  double pause_start_ = 0, pause_end_ = 0, next_pause_ = kFirstPause;
  std::string reason_;
};

}  // namespace gabbro::chat
