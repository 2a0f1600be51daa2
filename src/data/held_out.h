// Recognises held-out text among other documents: the same document, or one inside the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gabbro::data {

/// The two parts of a text that are compared, each by itself: copies may be numbered, quoted, set in tables
/// or timed, and tables may be written with other separators and labels.
enum class TextPart : std::uint8_t { kLetters, kDigits };
inline constexpr std::array kTextParts{TextPart::kLetters, TextPart::kDigits};

/// A text in the forms in which it is compared with others.
struct ComparableText {
  /// The hash by which a document is compared as a whole: without white space, invisible characters and
  /// U+2581 (the space of SentencePiece). Formats differ in line ends and byte order marks.
  std::uint64_t identity = 0;
  /// Its letters and its digits, without case, accents and differences of Unicode form, as UTF-8. Markup is
  /// left out: tags, entities, escapes, commands of TeX and RTF; and of the digits, the numbers of lines,
  /// which increase by one.
  std::array<std::string, kTextParts.size()> parts;
};

/// Returns the forms of a text in valid UTF-8. O(bytes).
ComparableText comparable_text(const std::string& text);

enum class Overlap {
  kNone,
  kSame,    // the text of a held-out document
  kInside,  // it contains a held-out document, or is contained in held-out text
};

/// The texts of held-out documents. Whole documents are recognised by one hash each; others by the hashes of
/// windows of 16 letters and of 8 digits: of one in 16, chosen by its content (fewer where there are more
/// than 2 million of them), and of at least 24 of each part of a document. Windows this short survive where
/// something stands in every line of a copy, and unrelated documents in English have at most a fifth of them
/// in common.
///
/// Two documents overlap if three fifths of one are in the other, by the shares of its windows, of which at
/// least eight are. A part of the text that one of them lacks does not count: the words of subtitles are
/// those of subtitles with times, whereas tables with one note and different numbers are different tables. So
/// are tables with their columns in another order. A window that occurs in more than eight held-out documents
/// is boilerplate and does not count for documents with less than a quarter of such windows. Texts that are
/// edited every few words, or written with look-alike letters, are not recognised.
class HeldOutText {
 public:
  HeldOutText();
  /// Adds a document. The same text is added once. Returns false, and adds only the hash of the whole, if the
  /// document nearly repeats earlier ones: it overlaps with one that is at least half as long, or six
  /// sevenths of its windows occur in earlier ones. O(bytes).
  bool add(const ComparableText& comparable);
  /// Prepares `find`, after the last `add`.
  void finish();

  struct Found {
    Overlap overlap = Overlap::kNone;
    std::vector<std::uint64_t> windows;  // hashes of the windows in common stretches, without boilerplate
  };
  /// Returns how a document overlaps with the held-out ones. O(bytes).
  [[nodiscard]] Found find(const ComparableText& comparable) const;
  /// Records that a document is trained on; `found` is what `find` returned for it.
  void train(const Found& found);

  struct Trained {
    std::size_t documents = 0;  // documents of which three fifths are trained on
    std::size_t added = 0;      // all documents that were added
    double share = 0;           // share of their text that is trained on
  };
  /// Returns how much of the held-out text is trained on, over all documents for which `train` was called.
  /// Only stretches of some 100 letters count, since single windows occur in much unrelated text.
  [[nodiscard]] Trained trained() const;

 private:
  template <class T>
  using ByPart = std::array<T, kTextParts.size()>;
  struct Window {
    std::uint64_t hash;
    std::uint32_t document;  // index in documents_
    TextPart part;
    auto operator<=>(const Window&) const = default;
  };
  // The occurrences of a window: windows_[begin, begin + count) after `finish`. Before, `begin` is the index
  // of the first document with it.
  struct Occurrences {
    std::uint32_t begin;
    std::uint32_t count;  // documents for which it counts; 0 marks boilerplate
    bool trained = false;
  };
  struct Document {
    ByPart<std::size_t> bytes{};
    ByPart<std::uint32_t> windows{};  // numbers of its windows that count
  };
  // Numbers of windows that two documents have in common: all that are kept of the known one, and those of
  // them that are chosen by their content.
  struct Shared {
    ByPart<std::uint32_t> kept{}, chosen{};
  };
  // A document beside the known ones.
  struct Comparison {
    Document document;                                 // its chosen windows
    std::size_t known = 0;                             // how many of them are in known documents
    std::unordered_map<std::uint32_t, Shared> shared;  // by index in documents_
    std::vector<std::uint64_t> in_stretches;           // known windows that stand side by side
  };
  [[nodiscard]] Comparison compare(const ComparableText& comparable) const;
  [[nodiscard]] bool is_nearly_known(const ComparableText& comparable) const;
  static bool is_compilation(const Comparison& comparison);
  template <class F>
  void for_documents_with(const Occurrences& window, const F& f) const;
  void index(const Window& window);
  // Halves `bound_` and drops the windows beyond it.
  void halve();

  std::unordered_set<std::uint64_t> identities_;  // of all documents that were added, near copies included
  std::vector<Window> windows_;                   // by document, part and hash; sorted by hash in `finish`
  std::vector<Document> documents_;
  std::unordered_map<std::uint64_t, Occurrences> occurrences_;  // by the hash of a window
  // A Bloom filter with one hash function: if it is false at hash % size, `occurrences_` does not have
  // `hash`.
  std::vector<bool> filter_;
  std::size_t extra_windows_ = 0;  // windows beyond those that are kept of each part in any case
  std::uint64_t bound_ = ~std::uint64_t{0} / 16;  // windows with a hash up to this are chosen
  bool finished_ = false;
};

}  // namespace gabbro::data
