#include "data/bytes.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "data/format.h"
#include "data/gunzip.h"

namespace gabbro::data {

namespace fs = std::filesystem;

class Bytes::Reader {
 public:
  virtual ~Reader() = default;
  virtual Result<bool> more(std::string& text) = 0;
  [[nodiscard]] virtual std::uint64_t consumed() const = 0;
};

// A file that libarchive decompresses, if it is compressed.
class Bytes::Archive : public Bytes::Reader {
 public:
  explicit Archive(std::string path) : path_(std::move(path)), archive_(archive_read_new()) {}

  Result<bool> open() {
    archive* reader = archive_.get();
    // With other filters of libarchive, such as uuencode, an attachment in a text would replace the text.
    archive_read_support_filter_xz(reader);
    archive_read_support_filter_bzip2(reader);
    archive_read_support_filter_zstd(reader);
    archive_read_support_format_raw(reader);
    archive_read_support_format_empty(reader);
    archive_entry* entry = nullptr;
    if (archive_read_open_filename(reader, path_.c_str(), kBlockBytes) != ARCHIVE_OK) return failure();
    const int header = archive_read_next_header(reader, &entry);
    if (header != ARCHIVE_OK && header != ARCHIVE_EOF) return failure();
    ended_ = header == ARCHIVE_EOF;
    if (names_compression(path_) && archive_filter_code(reader, 0) == ARCHIVE_FILTER_NONE)
      return fail("io", fmt::format("{} is not compressed, although its name says so", path_),
                  "check that the file is complete, or rename it");
    return true;
  }

  Result<bool> more(std::string& text) override {
    if (ended_) return false;
    const std::size_t before = text.size();
    text.resize(before + kBlockBytes);
    const la_ssize_t got = archive_read_data(archive_.get(), text.data() + before, kBlockBytes);
    text.resize(before + static_cast<std::size_t>(std::max<la_ssize_t>(got, 0)));
    if (got < 0) return failure();
    ended_ = got == 0;
    // The filter for bzip2 ends without an error where something else follows.
    if (std::error_code error; ended_ && consumed() < fs::file_size(path_, error) && !error)
      return fail("io",
                  fmt::format("cannot read {}: the data after byte {} is not compressed", path_, consumed()),
                  "check that the file is complete");
    return !ended_;
  }

  [[nodiscard]] std::uint64_t consumed() const override {
    return static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_filter_bytes(archive_.get(), -1)));
  }

 private:
  static constexpr std::size_t kBlockBytes = 1 << 18;

  struct Free {
    void operator()(archive* a) const { archive_read_free(a); }
  };

  [[nodiscard]] tl::unexpected<Error> failure() const {
    const char* why = archive_error_string(archive_.get());
    // Files of `zstd --long=28` and above; libarchive limits the window to 128 MB.
    if (why && std::string_view(why).find("requires too much memory") != std::string_view::npos)
      return fail("io", fmt::format("cannot read {}: its window is longer than 128 MB", path_),
                  fmt::format("compress it again: `zstd -dc --long=31 {} | zstd -o NEW.zst`", path_));
    return fail("io", fmt::format("cannot read {}: {}", path_, why ? why : "damaged or unreadable"),
                "check that the file is complete");
  }

  std::string path_;
  std::unique_ptr<archive, Free> archive_;
  bool ended_ = false;
};

// A gzip file. The gzip filter of libarchive does not verify checksums.
class Bytes::Gzip : public Bytes::Reader {
 public:
  Gzip(std::string path, std::ifstream file) : path_(std::move(path)), file_(std::move(file)) {}

  Result<bool> more(std::string& text) override {
    char block[1 << 14];  // small, since gzip may decompress it to 16 MB
    file_.read(block, sizeof block);
    const auto got = static_cast<std::size_t>(file_.gcount());
    consumed_ += got;
    if (file_.bad()) return fail("io", fmt::format("cannot read {}", path_), "check the disk");
    const Result<bool> ok = got > 0 ? gunzip_.add({block, got}, text) : gunzip_.finish();
    if (!ok) return fail("io", fmt::format("cannot read {}: {}", path_, ok.error().message), ok.error().hint);
    return got > 0;
  }

  [[nodiscard]] std::uint64_t consumed() const override { return consumed_; }

 private:
  std::string path_;
  std::ifstream file_;
  Gunzip gunzip_;
  std::uint64_t consumed_ = 0;
};

Bytes::Bytes(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}
Bytes::Bytes(Bytes&&) noexcept = default;
Bytes& Bytes::operator=(Bytes&&) noexcept = default;
Bytes::~Bytes() = default;

Result<Bytes> Bytes::open(const std::string& path) {
  if (const auto ok = check_regular_file(path); !ok) return tl::unexpected(ok.error());
  if (const auto ok = check_is_fetched(path); !ok) return tl::unexpected(ok.error());
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail("io", fmt::format("cannot read {}: {}", path, std::strerror(errno)), "make it readable");
  std::string beginning(2, '\0');
  if (file.read(beginning.data(), 2) && Gunzip::recognises(beginning)) {
    file.seekg(0);
    return Bytes(std::make_unique<Gzip>(path, std::move(file)));
  }
  auto reader = std::make_unique<Archive>(path);
  if (const auto ok = reader->open(); !ok) return tl::unexpected(ok.error());
  return Bytes(std::move(reader));
}

Result<bool> Bytes::more(std::string& text) { return reader_->more(text); }
std::uint64_t Bytes::consumed() const { return reader_->consumed(); }

Result<Lines> Lines::open(const std::string& path) {
  GABBRO_TRY(bytes, Bytes::open(path));
  return Lines(std::move(bytes));
}

Result<bool> Lines::next(std::string& line) {
  std::size_t from = at_;
  std::size_t end = 0;
  while ((end = buffer_.find('\n', from)) == std::string::npos) {
    buffer_.erase(0, std::exchange(at_, 0));
    from = buffer_.size();
    GABBRO_TRY(more, bytes_.more(buffer_));
    if (more) continue;
    if (buffer_.empty()) return false;
    end = buffer_.size();
    break;
  }
  line.assign(buffer_, at_, end - at_);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  at_ = std::min(end + 1, buffer_.size());
  ++number_;
  return true;
}

}  // namespace gabbro::data
