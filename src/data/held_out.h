// Recognises held-out text among other documents: the same document, or one inside the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gabbro::data {

/// A text in the forms in which it is compared with others.
struct ComparableText {
  /// The hash by which a document is compared as a whole: without white space, invisible characters and
  /// U+2581 (the space of SentencePiece). Formats differ in line ends and byte order marks.
  std::uint64_t identity = 0;
  /// A form in which parts of texts are compared: without case, accents, differences of Unicode form, and all
  /// that is neither letter nor digit.
  struct Form {
    std::string text;
    /// True if it says what the text is: the letters alone, unless digits are most of letters and digits.
    bool is_main = false;
    /// True if a text that contains it contains this text: the main forms, and the letters alone if they are
    /// at least a quarter.
    bool stands_for_text = false;
  };
  /// The letters alone, since copies may be quoted, numbered, hyphenated or set in tables; and, if they
  /// differ, letters and digits, with and without the numbers with which lines begin.
  std::vector<Form> forms;
};

/// Returns the forms of a text in valid UTF-8. O(bytes).
ComparableText comparable_text(const std::string& text);

enum class Overlap {
  kNone,
  kSame,    // the text of a held-out document
  kInside,  // it contains a held-out document, or is contained in held-out text
};

/// The texts of held-out documents. Whole documents are recognised by one hash each, parts by the hashes
/// of windows of 64 bytes of a form: of one in 16, chosen by its content (fewer where there are more
/// than 2 million of them), and of at least eight of each form. One document is inside another if at
/// least three quarters of its windows are, and if it has at least four. A held-out document of 70 bytes is
/// so found inside others; a part of a longer one has enough windows from about 250 bytes on. A window that
/// occurs in more than eight held-out documents is boilerplate. It does not count for documents with less
/// than a quarter of such windows. Texts in which every window was edited (other words, look-alike letters,
/// HTML entities) are not recognised, nor are parts that hardly have letters or digits.
class HeldOutText {
 public:
  HeldOutText();
  /// Adds a document. The same text is added once. Returns false, and adds only the hash of the whole, if the
  /// document nearly repeats earlier ones: three quarters of it occur in them, or it contains three quarters
  /// of one that is at least half as long. O(bytes).
  bool add(const ComparableText& comparable);
  /// Prepares `find`, after the last `add`.
  void finish();

  struct Found {
    Overlap overlap = Overlap::kNone;
    std::vector<std::uint64_t> windows;  // hashes of the windows in common, without boilerplate
  };
  /// Returns how a document overlaps with the held-out ones. O(bytes).
  [[nodiscard]] Found find(const ComparableText& comparable) const;
  /// Records that a document is trained on; `found` is what `find` returned for it.
  void train(const Found& found);

  struct Trained {
    std::size_t documents = 0;  // documents of which three quarters are trained on
    std::size_t added = 0;      // all documents that were added
    double share = 0;           // share of their text that is trained on
  };
  /// Returns how much of the held-out text is trained on, over all documents for which `train` was called.
  [[nodiscard]] Trained trained() const;

 private:
  struct Window {
    std::uint64_t hash;
    std::uint32_t form;  // index in forms_
    auto operator<=>(const Window&) const = default;
  };
  // The occurrences of a window: windows_[begin, begin + count) after `finish`. Before, `begin` is the index
  // of the first form with it.
  struct Occurrences {
    std::uint32_t begin;
    std::uint32_t count;  // forms for which it counts; 0 marks boilerplate
    bool trained = false;
  };
  // A form of a document that stands for it.
  struct Form {
    std::uint32_t document = 0;
    std::size_t bytes = 0;
    std::uint32_t windows = 0;  // number of its windows that count
  };
  [[nodiscard]] bool is_nearly_known(const ComparableText& comparable) const;
  // Returns the hashes of the windows of a text that are chosen by their content or may be known.
  [[nodiscard]] std::vector<std::uint64_t> candidates(const std::string& text) const;
  // Halves `bound_` and drops the windows beyond it.
  void halve();

  std::unordered_set<std::uint64_t> identities_;  // of all documents that were added, near copies included
  std::vector<Window> windows_;                   // by form and hash; sorted by hash in `finish`
  std::vector<Form> forms_;                       // those of a document are adjacent
  std::uint32_t documents_ = 0;                   // number of documents that were added
  std::unordered_map<std::uint64_t, Occurrences> occurrences_;  // by the hash of a window
  // A Bloom filter with one hash function: if it is false at hash % size, `occurrences_` does not have
  // `hash`.
  std::vector<bool> filter_;
  std::size_t extra_windows_ = 0;  // windows beyond those that are kept of each form in any case
  std::uint64_t bound_ = ~std::uint64_t{0} / 16;  // windows with a hash up to this are chosen
};

}  // namespace gabbro::data
