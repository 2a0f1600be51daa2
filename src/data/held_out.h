// Recognises held-out text among other documents: the same document, or one inside the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gabbro::data {

/// A text in the forms in which it is compared.
struct Plain {
  /// The hash by which a document is compared as a whole: without white space, invisible characters and
  /// U+2581 (the space of SentencePiece). Formats differ in line ends and byte order marks.
  std::uint64_t identity = 0;
  /// The letters alone, without case, accents and differences of Unicode form: copies may be quoted,
  /// numbered, hyphenated or set in tables. Where digits are more than half of letters and digits, they count
  /// too, but for the numbers with which lines begin.
  std::string folded;
  /// The form of the two that `folded` is not, if they differ: a text may stand beside much that is of the
  /// other kind.
  std::string other;
  [[nodiscard]] std::vector<const std::string*> forms() const {
    return other.empty() ? std::vector{&folded} : std::vector{&folded, &other};
  }
};

/// O(bytes).
Plain plain_of(const std::string& text);

enum class Overlap {
  kNone,
  kSame,    // the text of a held-out document
  kInside,  // it contains a held-out document, or is contained in held-out text
};

/// The texts of held-out documents. Whole documents are known by one hash each. Parts are known by the hashes
/// of windows of 64 bytes of folded text: of one in 16, chosen by its content (fewer where there are more
/// than 2 million of them), and of at least eight of each document. One document is inside another if at
/// least three quarters of its windows are, and if it has at least four. A held-out document of 70 bytes is
/// so found inside others; a part of a longer one has enough windows from about 250 bytes on. A window that
/// occurs in more than eight held-out documents is boilerplate and does not count for those of which such
/// windows are less than a quarter. Texts in which every window was edited (other words, look-alike letters,
/// HTML entities) are not recognised, nor are parts that hardly have letters or digits.
class HeldOutText {
 public:
  HeldOutText();
  /// Adds a document. The same text counts once. Returns false, and adds only the hash of
  /// the whole, if the document is nearly one that was added: three quarters of it stand in earlier ones, or
  /// it contains three quarters of one that is at least half as long. O(bytes).
  bool add(const Plain& plain);
  /// Prepares `find`, after the last `add`.
  void finish();

  struct Found {
    Overlap overlap = Overlap::kNone;
    std::vector<std::uint64_t> windows;  // hashes of the windows in common, without boilerplate
  };
  /// Says how a document overlaps with the held-out ones. O(bytes).
  [[nodiscard]] Found find(const Plain& plain) const;
  /// Notes that a document is trained on, where `found` is from `find`.
  void train(const Found& found);

  struct Trained {
    std::size_t documents = 0,
                of = 0;  // those of which three quarters are trained on, of all that were added
    double share = 0;    // of the text of all
  };
  /// Says how much of the held-out text is trained on, over all documents for which `train` was called.
  [[nodiscard]] Trained trained() const;

 private:
  struct Window {
    std::uint64_t hash;
    std::uint32_t document;
    auto operator<=>(const Window&) const = default;
  };
  struct Recurrence {
    std::uint32_t begin;  // until `finish` the first document with this window, then an index of `windows_`
    std::uint32_t count;  // documents for which it counts; 0 marks boilerplate
    bool trained = false;
  };
  struct Document {
    std::size_t bytes = 0;
    std::uint32_t windows = 0;  // those that count
  };
  [[nodiscard]] bool is_nearly_known(const Plain& plain) const;
  // Returns the hashes of the windows of a text that are chosen by their content or may be known.
  [[nodiscard]] std::vector<std::uint64_t> candidates(const std::string& folded) const;
  void halve();

  std::unordered_set<std::uint64_t> whole_;
  std::vector<Window> windows_;  // by document and hash; sorted by hash in `finish`
  std::vector<Document> documents_;
  std::unordered_map<std::uint64_t, Recurrence> recurrences_;  // by the hash of a window
  std::vector<bool> maybe_;  // false at the last bits of hashes that are not in `recurrences_`
  std::size_t beyond_ = 0;   // windows beyond the first of each document
  std::uint64_t bound_ = ~std::uint64_t{0} / 16;  // windows with a hash up to this are chosen
};

}  // namespace gabbro::data
