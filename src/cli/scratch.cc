#include "cli/scratch.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace gabbro::cli {

namespace fs = std::filesystem;

Result<Scratch> Scratch::make() {
  std::error_code error;
  std::string path = fs::temp_directory_path(error) / "gabbro-XXXXXX";
  if (error)
    return fail("io", "cannot find the folder for temporary files: " + error.message(),
                "set TMPDIR to a writable folder");
  if (!mkdtemp(path.data()))
    return fail("io", fmt::format("cannot create {}: {}", path, std::strerror(errno)),
                "set TMPDIR to a writable folder");
  return Scratch(std::move(path));
}

Scratch::~Scratch() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace gabbro::cli
