// The door of one endpoint: so many calls at a time, and none while it is down.
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

/// After `calls` + `retries` failed attempts in a row the endpoint is paused for half a minute, and twice as
/// long each time, up to ten minutes; then one call tries it while others are still refused. `now` is a clock
/// in seconds; one that is set back does not lengthen a pause. May be used from several threads.
class Gate {
 public:
  static constexpr double kFirstPause = 30, kLongestPause = 600, kLongestAsked = 3600;

  Gate(const Endpoint& endpoint, std::function<double()> now)
      : now_(std::move(now)),
        name_(endpoint.name),
        calls_(endpoint.calls),
        limit_(endpoint.calls + endpoint.retries) {}

  /// Waits for a place; `leave` gives it back. Errors: "chat down" (paused, with the reason), "stopped".
  Result<bool> enter();
  void leave();
  /// An attempt ended well: the endpoint answers.
  void succeeded();
  /// An attempt failed. `pause` above 0: the endpoint asked for so long a pause, and is paused at once (for
  /// an hour at most).
  void failed(const std::string& why, double pause = 0);
  /// Why it is paused; empty: it is not, or may be tried again.
  [[nodiscard]] std::optional<std::string> paused() const;
  /// Ends the waiting in `enter`, for good.
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
