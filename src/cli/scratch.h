// A temporary folder for the spec and the result of a job that leaves nothing behind.
#pragma once

#include <string>

#include "base/result.h"

namespace gabbro::cli {

/// Removed, with what is in it, at the end of its life.
class Scratch {
 public:
  /// In the system's folder for temporary files (TMPDIR). Errors: "io".
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
