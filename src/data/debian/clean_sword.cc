// SWORD modules. NAME.Xzs gives the positions of blocks in NAME.Xzz; NAME.Xzv gives the position of each
// verse's entry in its block.
#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "data/debian/clean.h"
#include "data/debian/unpack.h"

namespace gabbro::data::debian {

namespace {

template <class T>
T number_at(std::string_view bytes, std::size_t at) {
  T out;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

struct Entry {
  std::uint32_t block = 0, start = 0, size = 0;
  friend bool operator==(const Entry&, const Entry&) = default;
};

// Reads the entries of an index. An entry has 10 bytes (two of them for the size) or 12. The declared driver
// is not reliable, so the width whose entries fit the blocks is used. Empty if neither fits.
std::vector<Entry> entries_of(std::string_view index, const std::vector<std::string>& blocks) {
  for (const std::size_t width : {10, 12}) {
    if (index.size() % width != 0) continue;
    std::vector<Entry> out;
    bool fits = true;
    for (std::size_t at = 0; at < index.size() && fits; at += width) {
      Entry e{number_at<std::uint32_t>(index, at), number_at<std::uint32_t>(index, at + 4), 0};
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

Result<std::vector<std::string>> blocks_of(std::string_view table, std::string_view packed,
                                           const std::string& path) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at + 12 <= table.size(); at += 12) {
    const auto from = number_at<std::uint32_t>(table, at), size = number_at<std::uint32_t>(table, at + 4);
    if (std::uint64_t{from} + size > packed.size())
      return fail("format", fmt::format("{}: block {} ends at byte {} of {}", path, out.size(),
                                        std::uint64_t{from} + size, packed.size()));
    GABBRO_TRY(block, inflate(packed.substr(from, size), number_at<std::uint32_t>(table, at + 8), path));
    out.push_back(std::move(block));
  }
  return out;
}

class Chapters {
 public:
  explicit Chapters(const Emit& emit) : emit_(emit) {}
  void add(std::string_view verse) {
    if (verse.find("<chapter n=") != std::string_view::npos) end();
    markup_.append(verse) += ' ';
  }
  void end() {
    std::string text = text_of_markup("<osis>" + markup_ + "</osis>", true);
    if (text.size() >= 200) emit_(std::move(text));  // Shorter texts are only a title.
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
      Entry before;
      for (const Entry& e : entries) {
        if (e.size == 0 || e == before) continue;  // Several verses may share one comment.
        chapters.add(std::string_view(blocks[e.block]).substr(e.start, e.size));
        before = e;
      }
      chapters.end();
    }
  return true;
}

}  // namespace gabbro::data::debian
