#include "base/files.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace gabbro {

Result<bool> replace_file(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.tmp{}", path, getpid());
  std::FILE* const file = std::fopen(temporary.c_str(), "wb");
  if (!file) return fail("io", fmt::format("cannot write {}: {}", temporary, std::strerror(errno)));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() &&
                       std::fflush(file) == 0 && fsync(fileno(file)) == 0;
  int error = written ? 0 : errno;
  if (std::fclose(file) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) == 0) return true;
  const bool full = (error == 0 ? errno : error) == ENOSPC;
  const std::string why = std::strerror(error == 0 ? errno : error);
  std::remove(temporary.c_str());
  return fail("io", fmt::format("cannot write {}: {}", path, why), full ? "the disk is full" : "");
}

}  // namespace gabbro
