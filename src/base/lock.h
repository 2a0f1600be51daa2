// A lock between processes that is released when its process ends, however it ends.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace gabbro {

/// A lock on an existing folder, which one process of this machine holds at most. It is the folder's own,
/// whatever is removed from the folder or replaced in it. Errors of `take`: "locked" (another process holds
/// it), "io" with the system's message.
class Lock {
 public:
  static Result<Lock> take(const std::string& folder);
  Lock(Lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock();

 private:
  explicit Lock(int file) : file_(file) {}
  int file_;
};

}  // namespace gabbro
