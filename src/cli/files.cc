#include "cli/files.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "lang/parser.h"

namespace gabbro::cli {

namespace {

tl::unexpected<Error> io_error(const std::string& path, const char* what) {
  return fail("io", fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

struct Close {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

}  // namespace

Result<std::string> read_program(const std::string& path) {
  std::error_code ignored;
  if (path != "-" && std::filesystem::is_directory(path, ignored))
    return fail("io", fmt::format("{} is a folder", path), "name the files: " + path + "/*.gab");
  const std::unique_ptr<std::FILE, Close> file(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  if (!file) return io_error(path, "read");
  const std::size_t limit = lang::ParseLimits{}.bytes;
  std::string text(limit + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get())) return io_error(path, "read");
  if (text.size() > limit)
    return fail("limit", fmt::format("{} is longer than {} bytes", path, limit),
                "split the program over files", {1, 1});
  return text;
}

Result<std::string> run_folder(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error))
    return fail("io", fmt::format("there is no folder {}", path), "name the folder of a run");
  if (!std::filesystem::exists(path + "/spec.json", error))
    return fail("io", fmt::format("there is no run in {}: no spec.json", path),
                "make one: gabbro train --out " + path);
  return std::filesystem::absolute(path, error).string();
}

}  // namespace gabbro::cli
