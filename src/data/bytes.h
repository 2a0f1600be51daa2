// Reads the decompressed bytes and the lines of a file in one pass.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace gabbro::data {

/// The decompressed bytes of a file. The compression (gzip, xz, zstd, bzip2) is recognised by the beginning
/// of the file; other files are read as they are. Errors: "io" (also a damaged or incomplete file, and one
/// whose name says that it is compressed when it is not).
class Bytes {
 public:
  static Result<Bytes> open(const std::string& path);
  Bytes(Bytes&&) noexcept;
  Bytes& operator=(Bytes&&) noexcept;
  ~Bytes();

  /// Appends the next block to `text`. Returns false at the end of the file, and then appends nothing.
  Result<bool> more(std::string& text);
  /// Returns the number of bytes read from disk so far.
  [[nodiscard]] std::uint64_t consumed() const;

 private:
  class Reader;
  class Archive;
  class Gzip;
  explicit Bytes(std::unique_ptr<Reader> reader);
  std::unique_ptr<Reader> reader_;
};

/// The lines of a file, which is decompressed as by `Bytes`.
class Lines {
 public:
  static Result<Lines> open(const std::string& path);
  /// Reads the next line without its end (LF or CR LF). Returns false at the end of the file. Errors: "io".
  Result<bool> next(std::string& line);
  /// Returns the number of the line that was read last, counted from 1; 0 before the first.
  [[nodiscard]] int number() const { return number_; }

 private:
  explicit Lines(Bytes bytes) : bytes_(std::move(bytes)) {}
  Bytes bytes_;
  std::string buffer_;
  std::size_t at_ = 0;  // start of the next line in `buffer_`
  int number_ = 0;
};

}  // namespace gabbro::data
