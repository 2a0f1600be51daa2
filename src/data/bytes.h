// Reads the decompressed bytes and the lines of a file in one pass.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct archive;

namespace gabbro::data {

/// The decompressed bytes of a file. libarchive detects the compression (gzip, xz, zstd, bzip2); other files
/// are read as they are. Errors: "io".
class Bytes {
 public:
  static Result<Bytes> open(const std::string& path);
  Bytes(Bytes&&) noexcept;
  Bytes& operator=(Bytes&&) noexcept;
  ~Bytes();

  /// Appends the next block to `text`. Returns false at the end of the file.
  Result<bool> more(std::string& text);
  /// Returns the number of bytes read from disk so far.
  [[nodiscard]] std::uint64_t consumed() const;

 private:
  struct Free {
    void operator()(archive* a) const;
  };
  explicit Bytes(std::string path);
  [[nodiscard]] tl::unexpected<Error> failure() const;

  std::string path_;
  std::unique_ptr<archive, Free> archive_;
  bool ended_ = false;
};

class Lines {
 public:
  static Result<Lines> open(const std::string& path);
  /// Reads the next line without its end (LF or CR LF). Returns false at the end of the file. Errors: "io".
  Result<bool> next(std::string& line);
  /// Returns the number of the last line, counted from 1.
  [[nodiscard]] int number() const { return number_; }

 private:
  explicit Lines(Bytes bytes) : bytes_(std::move(bytes)) {}
  Bytes bytes_;
  std::string buffer_;
  std::size_t at_ = 0;  // start of the next line
  int number_ = 0;
};

}  // namespace gabbro::data
