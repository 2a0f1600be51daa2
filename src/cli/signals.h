// Makes Ctrl-C, SIGTERM and SIGHUP available as a number to poll.
#pragma once

namespace gabbro::cli {

/// Counts SIGINT, SIGTERM and SIGHUP from 0 while it exists (SIGHUP unless it was ignored before). The
/// destructor restores the previous handlers. Only one may exist at a time.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  /// Returns the number of signals since the last Signals was constructed.
  static int seen();
};

}  // namespace gabbro::cli
