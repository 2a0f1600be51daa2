#include "base/files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>

namespace gabbro {

namespace {

std::string why_not_regular(const struct stat& status) {
  return S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a regular file";
}

Result<std::string> read_regular(const std::string& path, std::uint64_t max_bytes, int flags) {
  const auto failed = [&](const std::string& why) {
    return fail("io", fmt::format("cannot read {}: {}", path, why));
  };
  // Without O_NONBLOCK, opening a pipe waits for a writer.
  const int descriptor = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);
  if (descriptor < 0) return failed(errno == ELOOP ? "it is a symbolic link" : std::strerror(errno));
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(fdopen(descriptor, "rb"), std::fclose);
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return failed(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return failed(why_not_regular(status));
  std::string out;
  std::array<char, 1 << 16> part;
  while (const std::size_t size = std::fread(part.data(), 1, part.size(), file.get())) {
    out.append(part.data(), size);
    if (out.size() > max_bytes)
      return fail("limit", fmt::format("cannot read {}: it is larger than {} bytes", path, max_bytes));
  }
  if (std::ferror(file.get())) return failed(std::strerror(errno));
  return out;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::uint64_t max_bytes) {
  return read_regular(path, max_bytes, 0);
}

Result<bool> check_regular_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    return fail("io", fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  if (!S_ISREG(status.st_mode))
    return fail("io", fmt::format("cannot read {}: {}", path, why_not_regular(status)));
  return true;
}

Result<std::string> read_untrusted_file(const std::string& path, std::uint64_t max_bytes) {
  return read_regular(path, max_bytes, O_NOFOLLOW);
}

Result<bool> replace_file(const std::string& path, const std::string& text) {
  // The name is random and must not exist, since an untrusted program with access to the folder could put a
  // link or a folder at a predictable name.
  const std::string temporary =
      fmt::format("{}.tmp{:08x}{:08x}", path, std::random_device{}(), std::random_device{}());
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  std::FILE* const file = descriptor < 0 ? nullptr : fdopen(descriptor, "wb");
  if (!file) return fail("io", fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() &&
                       std::fflush(file) == 0 && fsync(fileno(file)) == 0;
  int error = written ? 0 : errno;
  if (std::fclose(file) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) == 0) return true;
  const int number = error == 0 ? errno : error;
  std::remove(temporary.c_str());
  return fail("io", fmt::format("cannot write {}: {}", path, std::strerror(number)),
              number == ENOSPC  ? "the disk is full; free some space"
              : number == EFBIG ? "raise the limit of file sizes (`ulimit -f`)"
                                : "");
}

Result<bool> clear_path(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!error) return true;
  const std::string aside =
      fmt::format("{}.aside{:08x}{:08x}", path, std::random_device{}(), std::random_device{}());
  if (std::rename(path.c_str(), aside.c_str()) == 0) return true;
  return fail("io", fmt::format("cannot remove {}: {}", path, error.message()));
}

std::string home_folder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return home;
  const passwd* const user = getpwuid(geteuid());
  return user != nullptr && user->pw_dir != nullptr && *user->pw_dir == '/' ? user->pw_dir : ".";
}

}  // namespace gabbro
