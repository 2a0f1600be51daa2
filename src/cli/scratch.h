// A temporary folder for the spec and the result of a job that leaves nothing behind.
#pragma once

#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// Owns a folder, which the destructor removes with its contents.
class Scratch {
 public:
  /// Creates the folder in the system's folder for temporary files (TMPDIR). Errors: "io".
  static Result<Scratch> make();
  ~Scratch();
  Scratch(Scratch&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  Scratch& operator=(Scratch&&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace gabbro::cli
