#include "data/gunzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

namespace gabbro::data {

namespace {

constexpr int kGzipOnly = 15 + 16;  // zlib's windowBits: the largest window, and no other format than gzip
constexpr std::size_t kBlockBytes = 1 << 16;

tl::unexpected<Error> damaged(std::uint64_t offset, const char* why) {
  return fail("io", fmt::format("damaged at byte {} of its compressed data: {}", offset, why),
              "check that the file is complete");
}

}  // namespace

void Gunzip::Free::operator()(z_stream_s* z) const {
  inflateEnd(z);
  delete z;
}

Gunzip::Gunzip() : stream_(new z_stream{}) { GABBRO_CHECK(inflateInit2(stream_.get(), kGzipOnly) == Z_OK); }

bool Gunzip::recognises(std::string_view beginning) { return beginning.starts_with("\x1F\x8B"); }

Result<bool> Gunzip::add(std::string_view compressed, std::string& out) {
  z_stream& z = *stream_;
  const auto consume = [&](std::size_t bytes) {
    compressed.remove_prefix(bytes);
    offset_ += bytes;
  };
  while (!compressed.empty()) {
    if (!in_member_) {
      const std::size_t zeros = std::min(compressed.find_first_not_of('\0'), compressed.size());
      in_padding_ |= zeros > 0;
      consume(zeros);
      if (compressed.empty()) break;
      if (in_padding_ || compressed.front() != '\x1F')
        return damaged(offset_, "what follows the compressed text is not gzip");
      inflateReset(&z);
      in_member_ = true;
    }
    const std::size_t before = out.size();
    out.resize(before + kBlockBytes);
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    z.avail_in = static_cast<uInt>(compressed.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    z.avail_out = kBlockBytes;
    const int status = inflate(&z, Z_NO_FLUSH);
    out.resize(out.size() - z.avail_out);
    consume(compressed.size() - z.avail_in);
    if (status == Z_STREAM_END)
      in_member_ = false;
    else if (status != Z_OK)
      return damaged(offset_, z.msg ? z.msg : "unreadable");
  }
  return true;
}

Result<bool> Gunzip::finish() const {
  if (in_member_) return damaged(offset_, "it ends within the compressed text");
  return true;
}

}  // namespace gabbro::data
