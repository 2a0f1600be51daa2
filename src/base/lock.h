// A lock between processes that is released when its process ends, however it ends (flock). Children that are
// forked without exec keep it.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace gabbro {

/// A lock on an existing folder, which at most one process of this machine holds. The folder itself is
/// locked, so the lock stays if files in it are removed or replaced.
class Lock {
 public:
  /// Takes the lock, without waiting for it. Errors: "locked" (another process holds it), "io" with the
  /// system's message (no such folder, a file system without locks).
  [[nodiscard]] static Result<Lock> take(const std::string& folder);
  /// Returns true if the kernel's list of locks has one of the folder. Unlike `take`, it never keeps another
  /// process from taking the lock. False does not prove that the folder is free: there may be no list, and it
  /// lacks processes of other containers.
  [[nodiscard]] static bool is_held(const std::string& folder);
  Lock(Lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock();

 private:
  explicit Lock(int file) : file_(file) {}
  int file_;
};

/// Returns false if the file system of an existing folder refuses the locks of fcntl, which SQLite takes.
bool keeps_file_locks(const std::string& folder);

}  // namespace gabbro
