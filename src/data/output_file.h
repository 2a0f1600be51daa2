// Writes the files of a corpus.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace gabbro::data {

/// A file that is written once, through a buffer. Errors: "io".
class OutputFile {
 public:
  /// Creates the file, or empties an existing one.
  static Result<OutputFile> create(const std::string& path);
  OutputFile() = default;
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  ~OutputFile();

  Result<bool> write(const void* data, std::size_t size);
  /// Writes what is left, waits until it is on the disk, and closes the file.
  Result<bool> close();

 private:
  // Writes past the buffer.
  Result<bool> write_through(const char* data, std::size_t size);
  [[nodiscard]] tl::unexpected<Error> failure() const;

  std::string path_;
  int fd_ = -1;
  std::string buffer_;
};

/// Writes a whole file. Errors: "io".
Result<bool> write_whole(const std::string& path, const std::string& content);

}  // namespace gabbro::data
