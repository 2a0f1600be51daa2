// A monotonic clock.
#pragma once

#include <chrono>

namespace gabbro {

/// Returns seconds since an arbitrary moment of this boot. It never decreases, so it is used for durations,
/// deadlines and the rate of displays.
inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace gabbro
