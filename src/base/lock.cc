#include "base/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gabbro {

Result<Lock> Lock::take(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return fail("io", fmt::format("{}: {}", folder, std::strerror(errno)));
  Lock out(file);
  if (flock(file, LOCK_EX | LOCK_NB) != 0) return fail("locked", folder + ": another process holds the lock");
  return out;
}

Lock::~Lock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace gabbro
