// The exception for a file of ours that cannot be read back, because the disk or another program changed it.
#pragma once

#include <exception>
#include <utility>

#include "base/result.h"

namespace gabbro {

/// Readers of files that callers assume to be intact, such as the record of a campaign, throw it, since
/// otherwise every query would have to return a Result. `main` prints its error, which names the file. No
/// file is written after it is thrown.
class Damaged : public std::exception {
 public:
  explicit Damaged(Error error) : error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] const char* what() const noexcept override { return error_.message.c_str(); }

 private:
  Error error_;
};

}  // namespace gabbro
