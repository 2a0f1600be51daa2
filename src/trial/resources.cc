#include "trial/resources.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace gabbro::trial {

namespace {

// Returns the value of `field` in a file of the proc file system in bytes (the file counts in kB), or 0.
std::int64_t bytes_of(const char* path, const std::string& field) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(field + ":"))
      return std::stoll("0" + line.substr(line.find_first_of("0123456789"))) * 1024;
  return 0;
}

// Returns the number in the file, or -1 if it holds none ("max" means no limit).
std::int64_t number_in(const char* path) {
  std::ifstream file(path);
  std::int64_t value = -1;
  return file >> value ? value : -1;
}

}  // namespace

std::int64_t resident_bytes() { return bytes_of("/proc/self/status", "VmRSS"); }
std::int64_t peak_resident_bytes() { return bytes_of("/proc/self/status", "VmHWM"); }

std::int64_t available_bytes() {
  const std::int64_t machine = bytes_of("/proc/meminfo", "MemAvailable");
  const std::int64_t limit = number_in("/sys/fs/cgroup/memory.max"),
                     used = number_in("/sys/fs/cgroup/memory.current");
  return limit < 0 || used < 0 ? machine : std::min(machine, std::max<std::int64_t>(0, limit - used));
}

std::int64_t bytes_left(std::int64_t limit, std::int64_t elsewhere) {
  return limit > 0 ? limit - resident_bytes() - elsewhere : available_bytes();
}

std::string sandbox_borders() {
  const char* reported = std::getenv("GABBRO_BORDERS");
  if (!reported) return "";
  return std::string(reported) == "none" || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? reported : "";
}

}  // namespace gabbro::trial
