// Decompresses gzip, with its checks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct z_stream_s;

namespace gabbro::data {

/// Decompresses gzip (RFC 1952) piece by piece, and checks what libarchive does not: the sum and the length
/// of every member, that the last member is complete, and that nothing but zeros follows it. Errors: "io",
/// with the position in the compressed data; they do not name the file.
class Gunzip {
 public:
  Gunzip();
  /// Says whether a file that begins so is gzip.
  static bool recognises(std::string_view beginning);
  /// Appends to `out` what the next compressed bytes stand for, which is up to 1,032 times as many.
  Result<bool> add(std::string_view compressed, std::string& out);
  /// Checks, after the last `add`, that nothing is missing.
  [[nodiscard]] Result<bool> finish() const;

 private:
  struct Free {
    void operator()(z_stream_s* z) const;
  };
  std::unique_ptr<z_stream_s, Free> stream_;
  std::uint64_t at_ = 0;     // bytes that were decompressed
  bool in_member_ = true;    // false after the end of a member
  bool in_padding_ = false;  // zeros have followed the last member
};

}  // namespace gabbro::data
