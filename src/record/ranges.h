// Range checks for numbers of a spec, since anybody may have written the file that a worker reads.
#pragma once

#include <fmt/format.h>

#include "base/result.h"

namespace gabbro::record {

/// Keeps an error about the first number that is out of range. NaN is always out of range.
class Ranges {
 public:
  /// Checks that a number is in [low, high].
  template <class T>
  void operator()(const char* name, T value, T low, T high) {
    if (error_.code.empty() && !(value >= low && value <= high))
      error_ = {
          "spec", fmt::format("{} is {}", name, value), fmt::format("it must be {} to {}", low, high), {}};
  }
  /// Errors: "spec".
  [[nodiscard]] Result<bool> result() const {
    if (error_.code.empty()) return true;
    return tl::unexpected(error_);
  }

 private:
  Error error_;
};

// Limits of lengths (tokens), numbers of sequences, threads and GPUs. They are more than any machine holds,
// yet a product of two is far below the limit of 64 bits.
constexpr std::int64_t kMaxLength = 1 << 24, kMaxThreads = 1024, kMaxGpus = 64;

}  // namespace gabbro::record
