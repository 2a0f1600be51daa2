#include "base/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace gabbro {

Result<Lock> Lock::take(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return fail("io", fmt::format("{}: {}", folder, std::strerror(errno)));
  Lock out(file);
  if (flock(file, LOCK_EX | LOCK_NB) == 0) return out;
  if (errno == EWOULDBLOCK) return fail("locked", folder + ": another process holds the lock");
  // On Lustre or NFS, for example, such an error says nothing about other processes.
  return fail("io", fmt::format("{}: its file system keeps no locks ({})", folder, std::strerror(errno)),
              "use a folder on a local disk, or have the file system mounted with locks (Lustre: -o flock)");
}

bool Lock::is_held(const std::string& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return false;
  // A line reads "1: FLOCK  ADVISORY  WRITE 1234 08:02:131 0 EOF": the device and the inode are the sixth
  // word.
  const std::string wanted =
      fmt::format("{:02x}:{:02x}:{}", major(info.st_dev), minor(info.st_dev), info.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string id, kind, advisory, mode, process, file;
    if (words >> id >> kind >> advisory >> mode >> process >> file && kind == "FLOCK" && file == wanted)
      return true;
  }
  return false;
}

Lock::~Lock() {
  if (file_ >= 0) ::close(file_);
}

bool keeps_file_locks(const std::string& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return true;
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  const bool keeps = fcntl(file, F_SETLK, &lock) == 0 || errno == EAGAIN || errno == EACCES;
  ::close(file);
  return keeps;
}

}  // namespace gabbro
