#include "data/debian/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <memory>

namespace gabbro::data::debian {

namespace {

struct Free {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Archive = std::unique_ptr<archive, Free>;

constexpr std::size_t kBlockBytes = 1 << 16;

tl::unexpected<Error> damaged(const std::string& path, archive* a) {
  const char* why = archive_error_string(a);
  return fail("io", fmt::format("cannot read {}: {}", path, why ? why : "damaged"),
              "remove the file, so that it is downloaded again");
}

// Reads the current entry to its end.
Result<std::string> rest_of_entry(archive* a, const std::string& path) {
  std::string out;
  for (;;) {
    const std::size_t before = out.size();
    out.resize(before + kBlockBytes);
    const la_ssize_t got = archive_read_data(a, out.data() + before, kBlockBytes);
    if (got < 0) return damaged(path, a);
    out.resize(before + static_cast<std::size_t>(got));
    if (got == 0) return out;
  }
}

// Passes the current entry of `outer` to another archive as its input.
struct Nested {
  archive* outer;
  std::array<char, kBlockBytes> buffer;
  static la_ssize_t read(archive*, void* self, const void** bytes) {
    auto& nested = *static_cast<Nested*>(self);
    *bytes = nested.buffer.data();
    return archive_read_data(nested.outer, nested.buffer.data(), kBlockBytes);
  }
};

// Returns the wanted files of a tar archive that is the current entry of `outer`.
Result<Files> read_tar(archive* outer, const std::string& path,
                       const std::function<bool(const std::string&)>& wanted) {
  const Archive tar(archive_read_new());
  archive_read_support_filter_all(tar.get());
  archive_read_support_format_tar(tar.get());
  const auto nested = std::make_unique<Nested>();
  nested->outer = outer;
  if (archive_read_open(tar.get(), nested.get(), nullptr, Nested::read, nullptr) != ARCHIVE_OK)
    return damaged(path, tar.get());
  Files out;
  archive_entry* entry = nullptr;
  for (int status; (status = archive_read_next_header(tar.get(), &entry)) != ARCHIVE_EOF;) {
    if (status < ARCHIVE_WARN) return damaged(path, tar.get());
    const char* raw = archive_entry_pathname(entry);
    if (archive_entry_filetype(entry) != AE_IFREG || raw == nullptr) continue;
    std::string name = raw;
    if (name.starts_with("./")) name.erase(0, 2);
    if (!wanted(name)) continue;
    GABBRO_TRY(bytes, rest_of_entry(tar.get(), path));
    out.emplace(std::move(name), std::move(bytes));
  }
  return out;
}

}  // namespace

Result<Files> read_package(const std::string& path, const std::function<bool(const std::string&)>& wanted) {
  const Archive ar(archive_read_new());
  archive_read_support_format_ar(ar.get());
  if (archive_read_open_filename(ar.get(), path.c_str(), kBlockBytes) != ARCHIVE_OK)
    return damaged(path, ar.get());
  archive_entry* entry = nullptr;
  for (int status; (status = archive_read_next_header(ar.get(), &entry)) != ARCHIVE_EOF;) {
    if (status < ARCHIVE_WARN) return damaged(path, ar.get());
    const char* name = archive_entry_pathname(entry);
    if (name && std::string_view(name).starts_with("data.tar")) return read_tar(ar.get(), path, wanted);
  }
  return fail("io", path + " is not a Debian package: it contains no data.tar",
              "remove the file, so that it is downloaded again");
}

Result<std::string> decompressed(const std::string& bytes, const std::string& name) {
  if (bytes.empty()) return bytes;
  const Archive raw(archive_read_new());
  // Other filters, such as uuencode, would return an attachment of a text instead of the text.
  archive_read_support_filter_gzip(raw.get());
  archive_read_support_filter_xz(raw.get());
  archive_read_support_filter_bzip2(raw.get());
  archive_read_support_format_raw(raw.get());
  archive_entry* entry = nullptr;
  if (archive_read_open_memory(raw.get(), bytes.data(), bytes.size()) != ARCHIVE_OK ||
      archive_read_next_header(raw.get(), &entry) != ARCHIVE_OK)
    return damaged(name, raw.get());
  return rest_of_entry(raw.get(), name);
}

Result<std::string> zlib_decompressed(std::string_view bytes, std::size_t size, const std::string& name) {
  std::string out(size, '\0');
  uLongf got = size;
  const int status = ::uncompress(reinterpret_cast<Bytef*>(out.data()), &got,
                                  reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (status != Z_OK)
    return fail("format", fmt::format("{}: a block of {} bytes is damaged", name, bytes.size()));
  if (got != size)
    return fail("format", fmt::format("{}: a block of {} bytes unpacks to {} instead of {}", name,
                                      bytes.size(), got, size));
  return out;
}

}  // namespace gabbro::data::debian
