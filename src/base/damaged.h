// A file of our own that cannot be read back: the disk, or somebody else, changed it.
#pragma once

#include <exception>
#include <utility>

#include "base/result.h"

namespace gabbro {

/// Thrown by readers whose callers count on whole files, such as those of a campaign's record, where every
/// query would else return a Result; main says its error, which names the file. No file is written after it
/// was thrown.
class Damaged : public std::exception {
 public:
  explicit Damaged(Error error) : error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] const char* what() const noexcept override { return error_.message.c_str(); }

 private:
  Error error_;
};

}  // namespace gabbro
