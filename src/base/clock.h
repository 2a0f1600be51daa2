// A clock that nobody sets.
#pragma once

#include <chrono>

namespace gabbro {

/// Seconds since some moment of this boot, never backwards: for durations, deadlines and how often something
/// is shown.
inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace gabbro
