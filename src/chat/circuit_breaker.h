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

/// Pauses the endpoint after `calls` + `retries` failed attempts in a row. The first pause lasts half a
/// minute; each further one is twice as long, up to ten minutes. After a pause one trial call is allowed
/// while others are still refused. `now` is a clock in seconds; setting it back does not lengthen a pause.
/// Thread-safe.
class CircuitBreaker {
 public:
  static constexpr double kFirstPause = 30, kLongestPause = 600, kLongestAsked = 3600;

  CircuitBreaker(const Endpoint& endpoint, std::function<double()> now)
      : now_(std::move(now)),
        name_(endpoint.name),
        calls_(endpoint.calls),
        limit_(endpoint.calls + endpoint.retries) {}

  /// Waits for a free slot, which `leave` returns. Errors: "chat down" (paused, with the reason), "stopped".
  Result<bool> enter();
  void leave();
  /// Reports that an attempt succeeded, so that the endpoint is up.
  void succeeded();
  /// Reports a failed attempt. If `pause` is above 0, the endpoint asked for a pause of this many seconds and
  /// is paused at once, for at most an hour.
  void failed(const std::string& why, double pause = 0);
  /// Returns the reason for a pause; empty if the endpoint is not paused or may be tried again.
  [[nodiscard]] std::optional<std::string> paused() const;
  /// Ends all waiting in `enter`, now and later.
  void stop();

 private:
  [[nodiscard]] bool closed() const;

  const std::function<double()> now_;
  const std::string name_;
  const int calls_, limit_;
  mutable std::mutex mutex_;
  std::condition_variable free_;
  int running_ = 0, failures_ = 0;
  bool stopped_ = false, down_ = false, trying_ = false;
  double since_ = 0, until_ = 0, pause_ = kFirstPause;
  std::string why_;
};

}  // namespace gabbro::chat
