#include "data/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace gabbro::data {

namespace {

constexpr std::size_t kBufferBytes = 1 << 20;

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  OutputFile out;
  out.path_ = path;
  out.fd_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
  if (out.fd_ < 0) return out.failure();
  return out;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<bool> OutputFile::write(const void* data, std::size_t size) {
  const char* bytes = static_cast<const char*>(data);
  if (buffer_.size() + size < kBufferBytes) {
    buffer_.append(bytes, size);
    return true;
  }
  if (auto ok = write_through(buffer_.data(), buffer_.size()); !ok) return ok;
  buffer_.clear();
  return write_through(bytes, size);
}

Result<bool> OutputFile::close() {
  if (auto ok = write_through(buffer_.data(), buffer_.size()); !ok) return ok;
  const bool synced = ::fsync(fd_) == 0;
  const bool closed = ::close(std::exchange(fd_, -1)) == 0;
  if (!synced || !closed) return failure();
  return true;
}

Result<bool> OutputFile::write_through(const char* data, std::size_t size) {
  for (std::size_t done = 0; done < size;) {
    const ssize_t n = ::write(fd_, data + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failure();
    done += static_cast<std::size_t>(n);
  }
  return true;
}

tl::unexpected<Error> OutputFile::failure() const {
  return fail("io", fmt::format("cannot write {}: {}", path_, std::strerror(errno)));
}

Result<bool> write_whole(const std::string& path, const std::string& content) {
  GABBRO_TRY(file, OutputFile::create(path));
  if (auto ok = file.write(content.data(), content.size()); !ok) return ok;
  return file.close();
}

}  // namespace gabbro::data
