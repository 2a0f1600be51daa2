// Reports how far a build is.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"
#include "data/build.h"
#include "data/documents.h"

namespace gabbro::data {

/// Calls the listener of a build: for its progress at most five times a second, and for every notice.
class Ticker {
 public:
  /// `listener` may be empty. It has to outlive this object.
  explicit Ticker(const std::function<bool(const BuildProgress&)>& listener) : listener_(listener) {}
  /// Reports progress. Returns false if the listener wants the build to stop. `force`: the listener is called
  /// even if it was called less than 200 ms ago.
  bool tick(const BuildProgress& state, bool force = false) {
    const auto now = std::chrono::steady_clock::now();
    if (!force && now - last_ < std::chrono::milliseconds(200)) return true;
    last_ = now;
    return !listener_ || listener_(state);
  }
  /// Passes on a notice; "" is ignored.
  void tell(std::string notice) {
    if (listener_ && !notice.empty()) listener_({.notice = std::move(notice)});
  }

 private:
  const std::function<bool(const BuildProgress&)>& listener_;
  std::chrono::steady_clock::time_point last_{};
};

/// Returns the error of a build that its listener stopped.
inline tl::unexpected<Error> stopped() {
  return fail("stopped", "the build was stopped; its files were removed");
}

inline tl::unexpected<Error> no_text() { return fail("corpus", "the sources contain no text"); }

/// Returns the share of the bytes of `sources` that was read so far, in [0, 1].
inline double share_of(const Documents& documents, const Sources& sources) {
  return sources.bytes == 0
             ? 1
             : std::min(1.0, static_cast<double>(documents.consumed()) / static_cast<double>(sources.bytes));
}

}  // namespace gabbro::data
