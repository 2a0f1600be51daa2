// Decompresses gzip and verifies its checksums.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct z_stream_s;

namespace gabbro::data {

/// Decompresses gzip (RFC 1952) piece by piece, and checks what libarchive does not: the checksum and length
/// of every member, that the last member is complete, and that nothing but zeros follows it. Errors: "io",
/// with the position in the compressed data; they do not name the file.
class Gunzip {
 public:
  Gunzip();
  /// Returns true if a file with this beginning is gzip.
  static bool recognises(std::string_view beginning);
  /// Decompresses the next bytes of the file and appends the result, which may be 1,032 times as long, to
  /// `out`.
  Result<bool> add(std::string_view compressed, std::string& out);
  /// Checks, after the last `add`, that nothing is missing.
  [[nodiscard]] Result<bool> finish() const;

 private:
  struct Free {
    void operator()(z_stream_s* z) const;
  };
  std::unique_ptr<z_stream_s, Free> stream_;
  std::uint64_t offset_ = 0;  // compressed bytes read so far
  bool in_member_ = true;     // false after the end of a member
  bool in_padding_ = false;   // zeros have followed the last member
};

}  // namespace gabbro::data
