// Recognises held-out text among other documents: the same document, or one inside the other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "data/comparable_text.h"
#include "data/window_table.h"

namespace gabbro::data {

enum class Overlap {
  kNone,
  kSame,    // the text of a held-out document
  kInside,  // it contains a held-out document, or is contained in held-out text
};

/// The texts of held-out documents. Whole documents are recognised by one hash each; others by their windows
/// (windows.h) of letters and of digits: two documents have in common what the union of equal windows covers,
/// in either. Equal windows count where others are near them in both documents, with 40 letters or 16 digits
/// together, since single ones occur in much unrelated text. What a document repeats counts once.
///
/// Two documents overlap if they have three fifths of one of them in common. A part of the text that one of
/// them lacks does not count: the words of subtitles are those of subtitles with times, whereas tables with
/// one note and different numbers are different tables. So are tables with their columns in another order.
/// Texts that are edited every few words, or written with look-alike letters, are not recognised.
///
/// Boilerplate does not count: text in more than eight held-out documents, for those of which it is less than
/// a quarter, and text in more than eight training documents that hold much else. A held-out document of
/// which three fifths are such text is not new text, and has to be left out: leaving out the training
/// documents would cost more than it protects.
///
/// The order of calls is `add` for all held-out documents, `finish`, `observe` for all that may be trained
/// on, `settle`, then `find`. The last two may be left out. Memory: 24 to 40 bytes a letter of held-out text
/// up to `max_windows`; of more, one window in 2, 4, ... is chosen by its content, of letters first.
class HeldOutText {
 public:
  explicit HeldOutText(std::size_t max_windows = WindowTable::kMaxEntries) : table_(max_windows) {}
  /// Adds a document. The same text is added once. Returns false, and adds only the hash of the whole, if the
  /// document nearly repeats earlier ones: it overlaps with one that is at least half as long, or six
  /// sevenths of it stand in earlier ones. O(bytes).
  bool add(const ComparableText& comparable);
  void finish();
  /// Counts a document that may be trained on. O(bytes).
  void observe(const ComparableText& comparable);
  /// Decides by what was observed what is boilerplate.
  void settle();
  /// Returns true if a held-out document is mostly boilerplate.
  [[nodiscard]] bool is_boilerplate(std::uint64_t identity) const { return boilerplate_.contains(identity); }

  /// Returns the share of the held-out letters and digits that is in such documents.
  [[nodiscard]] double boilerplate_share() const;

  // Stretches of held-out documents: `row` is that of WindowTable.
  struct Stretch {
    std::uint32_t row, begin, end;
  };
  struct Found {
    Overlap overlap = Overlap::kNone;
    std::vector<Stretch> in_common;  // disjoint
  };
  /// Returns how a document overlaps with the held-out ones. O(bytes). Not for two threads at once.
  [[nodiscard]] Found find(const ComparableText& comparable) const;
  /// Returns what `find` would, if `observe` decided it already, or else null.
  [[nodiscard]] const Found* decided(std::uint64_t identity) const;
  /// Records that a document is trained on; `found` is what `find` returned for it.
  void train(const Found& found);

  struct Trained {
    std::size_t documents = 0;  // documents of which three fifths are trained on
    std::size_t added = 0;      // all documents that were added and are no boilerplate
    double share = 0;           // share of their letters and digits that is trained on
  };
  /// Returns how much of the held-out text is trained on, over all documents for which `train` was called.
  [[nodiscard]] Trained trained() const;

 private:
  // Letters and digits, as numbers of them.
  using Amount = std::array<double, 2>;
  // The comparison of a document with the known ones.
  struct Comparison {
    std::vector<Match> matches;  // by part of the document, row and begin
    ByPart<double> own{};        // its distinct letters and digits without boilerplate
    double all = 0, known = 0;   // its distinct letters and digits, and those of them in known text
  };
  struct Document {
    std::uint64_t identity = 0;
    bool is_boilerplate = false;
  };
  [[nodiscard]] Comparison compare(const ComparableText& comparable) const;
  [[nodiscard]] static std::vector<Stretch> stretches_of(const Comparison& comparison);
  [[nodiscard]] bool is_nearly_known(const ComparableText& comparable) const;
  static bool is_compilation(const Comparison& comparison);
  // Returns true if f(own, known, in common) for the amounts of the document, of a known one, and of what
  // they share; for any known document and any forms.
  template <class F>
  [[nodiscard]] bool any_pair(const Comparison& comparison, const F& f) const;
  [[nodiscard]] double letters(std::uint32_t document) const;  // and digits
  // Returns the share of a document's letters and digits that are marked.
  [[nodiscard]] double share_of(std::uint32_t document, const std::vector<bool>& marked) const;

  std::unordered_set<std::uint64_t> identities_;  // of all documents that were added, near copies included
  std::unordered_set<std::uint64_t> boilerplate_;
  // The results of `find` for observed documents that hardly overlap with any, by identity.
  std::unordered_map<std::uint64_t, Found> decided_;
  std::size_t stretches_decided_ = 0;
  std::vector<Document> documents_;
  WindowTable table_;                   // row 4 * document + part
  std::vector<std::uint8_t> observed_;  // training documents with a letter, up to 255; by its index
  std::vector<bool> trained_;           // by the index of a letter
};

}  // namespace gabbro::data
