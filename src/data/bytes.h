// The unpacked bytes and lines of a file, in one pass.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct archive;

namespace gabbro::data {

/// libarchive sees by itself how a file was packed (gzip, xz, zstd, bzip2); what was not passes as it is.
/// Errors: "io".
class Bytes {
 public:
  static Result<Bytes> open(const std::string& path);
  Bytes(Bytes&&) noexcept;
  Bytes& operator=(Bytes&&) noexcept;
  ~Bytes();

  /// Appends the next block to `text`; false at the end.
  Result<bool> more(std::string& text);
  /// Bytes read from disk so far.
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
  /// The next line without its end (LF or CR LF); false at the end of the file. Errors: "io".
  Result<bool> next(std::string& line);
  /// Of the line given last, from 1.
  [[nodiscard]] int number() const { return number_; }

 private:
  explicit Lines(Bytes bytes) : bytes_(std::move(bytes)) {}
  Bytes bytes_;
  std::string buffer_;
  std::size_t at_ = 0;  // where the next line starts
  int number_ = 0;
};

}  // namespace gabbro::data
