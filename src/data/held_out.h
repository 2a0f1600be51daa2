// Recognises held-out text among other documents: the same document, or one inside the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gabbro::data {

/// Returns `text` without white space, invisible characters and U+2581 (the space of SentencePiece). Formats
/// differ in line ends and byte order marks.
std::string plain_of(const std::string& text);

/// Returns the hash by which a document is compared as a whole, where `plain` is from `plain_of`.
std::uint64_t identity_of(const std::string& plain);

enum class Overlap {
  kNone,
  kSame,    // the text of a held-out document
  kInside,  // it contains a held-out document, or is contained in held-out text
};

/// The texts of held-out documents. Whole documents are known by one hash each. Parts are known by the hashes
/// of windows of 64 bytes of plain text, of which one in 16 is chosen by its content (fewer where there are
/// more than 2 million of them). A window that occurs in more than eight held-out documents is boilerplate
/// and does not count. One document is inside another if at least three quarters of its windows are, and if
/// it has at least four, about 130 bytes; shorter ones are only compared as a whole. Texts in which every
/// window was edited (letter case, Unicode forms) are not recognised.
class HeldOutText {
 public:
  /// Adds a document by its plain text. The same text counts once.
  void add(const std::string& plain);
  /// Prepares `find`, after the last `add`.
  void finish();
  /// Says how a document with this plain text overlaps with the held-out ones. O(bytes).
  [[nodiscard]] Overlap find(const std::string& plain) const;

 private:
  struct Window {
    std::uint64_t hash;
    std::uint32_t document;
    auto operator<=>(const Window&) const = default;
  };
  struct Range {
    std::uint32_t begin, count;  // of `windows_`; a count of 0 marks boilerplate
  };
  std::unordered_set<std::uint64_t> whole_;
  std::vector<Window> windows_;                      // sorted by `finish`
  std::vector<std::uint32_t> counts_;                // windows of each document, without boilerplate
  std::unordered_map<std::uint64_t, Range> places_;  // by the hash of a window
  std::uint64_t bound_ = ~std::uint64_t{0} / 16;     // windows with a hash up to this are chosen
};

}  // namespace gabbro::data
