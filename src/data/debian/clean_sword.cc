// SWORD modules. NAME.Xzs gives the positions of compressed blocks in NAME.Xzz: offset, compressed size and
// size of each. NAME.Xzv gives the position of each verse: block, offset in the decompressed block, and size.
// All are 32-bit numbers, little-endian, but the size of a verse may have 16 bits.
#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "data/debian/clean.h"
#include "data/debian/unpack.h"

namespace gabbro::data::debian {

namespace {

template <class T>
T number_at(std::string_view bytes, std::size_t offset) {
  T out;
  std::memcpy(&out, bytes.data() + offset, sizeof out);
  return out;
}

// The position of a verse; size 0: it has no text.
struct Entry {
  std::uint32_t block = 0, start = 0, size = 0;
  friend bool operator==(const Entry&, const Entry&) = default;
};

// Reads the entries of an index. An entry has 10 bytes (two of them for the size) or 12. The declared driver
// is not reliable, so the width whose entries fit the blocks is used. Returns nothing if neither fits.
std::vector<Entry> entries_of(std::string_view index, const std::vector<std::string>& blocks) {
  for (const std::size_t width : {10, 12}) {
    if (index.size() % width != 0) continue;
    std::vector<Entry> out;
    bool fits = true;
    for (std::size_t at = 0; at < index.size() && fits; at += width) {
      Entry e{.block = number_at<std::uint32_t>(index, at),
              .start = number_at<std::uint32_t>(index, at + 4),
              .size = 0};
      e.size =
          width == 10 ? number_at<std::uint16_t>(index, at + 8) : number_at<std::uint32_t>(index, at + 8);
      fits = e.size == 0 ||
             (e.block < blocks.size() && std::uint64_t{e.start} + e.size <= blocks[e.block].size());
      out.push_back(e);
    }
    if (fits) return out;
  }
  return {};
}

// Decompresses the blocks of a module. `path` is that of `packed`, for errors.
Result<std::vector<std::string>> blocks_of(std::string_view table, std::string_view packed,
                                           const std::string& path) {
  std::vector<std::string> out;
  constexpr std::size_t kRow = 12;  // bytes
  for (std::size_t at = 0; at + kRow <= table.size(); at += kRow) {
    const auto from = number_at<std::uint32_t>(table, at), size = number_at<std::uint32_t>(table, at + 4);
    if (std::uint64_t{from} + size > packed.size())
      return fail("format", fmt::format("{}: block {} ends at byte {} of {}", path, out.size(),
                                        std::uint64_t{from} + size, packed.size()));
    GABBRO_TRY(block,
               zlib_decompressed(packed.substr(from, size), number_at<std::uint32_t>(table, at + 8), path));
    out.push_back(std::move(block));
  }
  return out;
}

// Joins verses to chapters.
class Chapters {
 public:
  explicit Chapters(const Emit& emit) : emit_(emit) {}
  void add(std::string_view verse) {
    if (verse.find("<chapter n=") != std::string_view::npos) end();
    markup_.append(verse) += ' ';
  }
  void end() {
    std::string text = text_of_markup("<osis>" + markup_ + "</osis>", Markup::kOsis);
    constexpr std::size_t kMinBytes = 200;  // A shorter text is only a title.
    if (text.size() >= kMinBytes) emit_(std::move(text));
    markup_.clear();
  }

 private:
  const Emit& emit_;
  std::string markup_;
};

}  // namespace

Result<bool> clean_sword(const Files& files, const Emit& emit) {
  for (const char* testament : {"ot", "nt"})
    for (const auto& [path, table] : files) {
      if (!path.ends_with("zs") || path.find(fmt::format("/{}.", testament)) == std::string::npos) continue;
      const std::string stem = path.substr(0, path.size() - 1);
      const auto index = files.find(stem + "v"), packed = files.find(stem + "z");
      if (index == files.end() || packed == files.end())
        return fail("format", fmt::format("{0}v or {0}z is missing next to {1}", stem, path));
      GABBRO_TRY(blocks, blocks_of(table, packed->second, packed->first));
      const std::vector<Entry> entries = entries_of(index->second, blocks);
      if (entries.empty() && !index->second.empty())
        return fail("format",
                    fmt::format("{}: entries do not fit the {} blocks", index->first, blocks.size()));
      Chapters chapters(emit);
      Entry previous;
      for (const Entry& e : entries) {
        if (e.size == 0 || e == previous) continue;  // Several verses may share one comment.
        chapters.add(std::string_view(blocks[e.block]).substr(e.start, e.size));
        previous = e;
      }
      chapters.end();
    }
  return true;
}

}  // namespace gabbro::data::debian
