// Ctrl-C and SIGTERM as a number to look at.
#pragma once

namespace gabbro::cli {

/// Counts SIGINT and SIGTERM while it lives, from 0; then the handlers from before are back. One at a time.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  /// How many came since the last one began.
  static int seen();
};

}  // namespace gabbro::cli
