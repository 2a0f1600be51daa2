#include "data/bytes.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/files.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kBlock = 1 << 18;

// Other filters of libarchive, such as uuencode, would take an attachment within a text for the whole of it.
void support_compression(archive* reader) {
  archive_read_support_filter_gzip(reader);
  archive_read_support_filter_xz(reader);
  archive_read_support_filter_bzip2(reader);
  archive_read_support_filter_zstd(reader);
}

}  // namespace

void Bytes::Free::operator()(archive* a) const { archive_read_free(a); }

Bytes::Bytes(std::string path) : path_(std::move(path)), archive_(archive_read_new()) {}
Bytes::Bytes(Bytes&&) noexcept = default;
Bytes& Bytes::operator=(Bytes&&) noexcept = default;
Bytes::~Bytes() = default;

Result<Bytes> Bytes::open(const std::string& path) {
  if (const auto ok = is_plain_file(path); !ok) return tl::unexpected(ok.error());
  Bytes out(path);
  support_compression(out.archive_.get());
  archive_read_support_format_raw(out.archive_.get());
  archive_read_support_format_empty(out.archive_.get());
  archive_entry* entry = nullptr;
  if (archive_read_open_filename(out.archive_.get(), path.c_str(), kBlock) != ARCHIVE_OK)
    return out.failure();
  const int header = archive_read_next_header(out.archive_.get(), &entry);
  if (header == ARCHIVE_EOF)
    out.ended_ = true;
  else if (header != ARCHIVE_OK)
    return out.failure();
  return out;
}

Result<bool> Bytes::more(std::string& text) {
  if (ended_) return false;
  const std::size_t before = text.size();
  text.resize(before + kBlock);
  const la_ssize_t got = archive_read_data(archive_.get(), text.data() + before, kBlock);
  text.resize(before + static_cast<std::size_t>(std::max<la_ssize_t>(got, 0)));
  if (got < 0) return failure();
  ended_ = got == 0;
  return !ended_;
}

std::uint64_t Bytes::consumed() const {
  return static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_filter_bytes(archive_.get(), -1)));
}

tl::unexpected<Error> Bytes::failure() const {
  const char* why = archive_error_string(archive_.get());
  return fail("io", fmt::format("cannot read {}: {}", path_, why ? why : "damaged or unreadable"),
              "check that the file is complete");
}

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
