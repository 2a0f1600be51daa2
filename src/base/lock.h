// The right to write, which goes with its process however that ends.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace gabbro {

/// A lock that one process holds at a time, on this machine: of a folder that is there, or of a file, which
/// is made when it is missing and stays. Errors of `take`: "locked" (another holds it), "io" with the reason
/// of the system.
class Lock {
 public:
  static Result<Lock> take(const std::string& path);
  Lock(Lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock();

 private:
  explicit Lock(int file) : file_(file) {}
  int file_;
};

}  // namespace gabbro
