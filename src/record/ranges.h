// Ranges of the numbers of a spec: a worker reads files that anybody may have written.
#pragma once

#include <fmt/format.h>

#include "base/result.h"

namespace gabbro::record {

/// Keeps the first number that lies outside of its range; one that is NaN does.
class Ranges {
 public:
  template <class T>
  void operator()(const char* name, T value, T low, T high) {
    if (error_.code.empty() && !(value >= low && value <= high))
      error_ = {"spec", fmt::format("{} is {}", name, value), fmt::format("{} to {}", low, high), {}};
  }
  [[nodiscard]] Result<bool> result() const {
    if (error_.code.empty()) return true;
    return tl::unexpected(error_);
  }

 private:
  Error error_;
};

// Beyond what any machine holds: products of two of them are far from the end of 64 bits.
constexpr std::int64_t kMostLength = 1 << 24, kMostThreads = 1024;

}  // namespace gabbro::record
