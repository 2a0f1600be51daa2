// The windows of known texts, and the stretches that another text has in common with them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/windows.h"

namespace gabbro::data {

/// A stretch that a text has in common with a row of a table.
struct Match {
  TextPart part;        // of the text
  bool is_boilerplate;  // by the table
  std::uint32_t row;    // of the table
  std::uint32_t place;  // where it begins in the row
  std::uint32_t at;     // where it begins in the text
  std::uint32_t length;
  std::uint32_t chain;  // matches that stand near each other in both, in this order
};

/// The windows of rows, each once in a row. A row is a part of a text. A window is stored for its first 64
/// rows; it does not count in others.
class WindowTable {
 public:
  static constexpr std::size_t kMaxEntries = 8 << 20;
  /// Stores up to `max_entries` windows; of more, one in 2, 4, ... is chosen, of letters first. Those of
  /// digits are halved only where they alone are more than half, since a table has few of them.
  explicit WindowTable(std::size_t max_entries = kMaxEntries);
  /// Adds a row of `size` letters or digits with these windows.
  void add_row(const std::vector<Window>& windows, TextPart part, std::size_t size);
  /// Appends the stretches that a part of a text has in common with the rows, where they are long enough
  /// together. Marks in `boilerplate`, if not null, the letters that are boilerplate in any row.
  void match(const std::vector<Window>& windows, TextPart part, std::vector<Match>& out,
             std::vector<bool>* boilerplate) const;

  enum class Use : std::uint8_t {
    kCounts,
    kBoilerplate,  // its matches are marked
    kIgnored,      // it has no matches
  };
  /// Calls f(row, window, number of rows with it, its use) for each window, in the order of rows. `f` returns
  /// its new use.
  template <class F>
  void choose_uses(const F& f) {
    for (Entry& e : entries_) e.use = f(e.row, Window{e.hash, e.begin, e.length}, rows_with(e.hash), e.use);
    count_letters();
  }
  /// Returns the number of a row's letters that windows cover, except those that have too many rows; and of
  /// those that windows cover which count.
  [[nodiscard]] double letters(std::uint32_t row) const { return rows_[row].letters; }
  [[nodiscard]] double counting(std::uint32_t row) const { return rows_[row].counting; }
  /// Returns the index of the first letter of a row among those of all rows; the number of these for the
  /// number of rows.
  [[nodiscard]] std::size_t first_letter(std::uint32_t row) const {
    return row < rows_.size() ? rows_[row].first_letter : letters_;
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Entry {
    std::uint64_t hash;
    std::uint32_t row, begin;
    std::uint32_t next;  // entry with the same place in heads_, or kNone
    std::uint8_t length;
    Use use;
  };
  // Letters and digits are chosen apart.
  enum class Kind : std::uint8_t { kLetters, kDigits };
  struct Choice {
    std::uint64_t bound = ~std::uint64_t{0};  // windows with a hash up to this are chosen
    std::uint32_t gap = 0;                    // letters between chosen windows of one stretch
    std::size_t entries = 0;
  };
  struct Row {
    Kind kind = Kind::kLetters;
    std::size_t first_letter = 0;
    double letters = 0, counting = 0;
  };
  // Matches of a text with a row that stand near each other.
  struct Chain {
    std::uint32_t text = 0;  // number of the text; a chain of an earlier one is empty
    std::uint32_t place_end = 0, end = 0, last_match = 0, number = 0;
  };
  struct FoundChain {
    std::uint32_t length;  // letters or digits of the text
    std::uint32_t window;  // those of its first window
  };
  static constexpr std::size_t kChains = 4;  // that are continued at a time in a row

  [[nodiscard]] std::size_t slot(std::uint64_t hash) const { return hash >> shift_; }
  static Kind kind_of(TextPart part) {
    return part == TextPart::kLetters || part == TextPart::kUnlabelled ? Kind::kLetters : Kind::kDigits;
  }
  [[nodiscard]] const Choice& choice(Kind kind) const { return choices_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] bool may_have(std::uint64_t hash) const { return filter_[hash & (filter_.size() - 1)]; }
  [[nodiscard]] std::uint32_t rows_with(std::uint64_t hash) const;
  void index(std::uint32_t entry);
  void rebuild();
  void halve(Kind kind);
  void count_letters();
  void extend(const Entry& entry, const Window& window, TextPart part, std::vector<Match>& out) const;

  std::vector<Entry> entries_;        // by row and begin
  std::vector<std::uint32_t> heads_;  // first entry by the highest bits of its hash
  std::vector<bool> filter_;          // If it is false at a hash's lowest bits, no entry has this hash.
  std::vector<Row> rows_;
  std::size_t letters_ = 0;
  unsigned shift_ = 0;
  std::size_t max_entries_;
  std::array<Choice, 2> choices_;  // by kind
  // Working memory of `match`.
  mutable std::vector<std::array<Chain, kChains>> chains_;  // by row
  mutable std::vector<FoundChain> found_;
  mutable std::uint32_t text_ = 0;
};

}  // namespace gabbro::data
