// Finds the labels that a format puts into every record, such as the keys of JSON.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gabbro::data {

/// Counts fields by the hashes of their letters.
class LabelCounts {
 public:
  void add(std::uint64_t hash) { most_ = std::max(most_, ++counts_[hash]); }
  /// Returns true if a field that was added is a label: it occurs at least 8 times, and half as often as the
  /// most frequent one.
  [[nodiscard]] bool is_label(std::uint64_t hash) const {
    constexpr std::size_t kFewest = 8;
    const std::size_t count = counts_.at(hash);
    return count >= kFewest && 2 * count >= most_;
  }

 private:
  std::unordered_map<std::uint64_t, std::size_t> counts_;
  std::size_t most_ = 0;
};

/// Collects the fields of a text: letters between delimiters.
class Fields {
 public:
  /// A character that is no letter; `letters` are those of the text so far.
  void add_other(char c, const std::string& letters) {
    constexpr std::string_view kDelimiters = "\n\r\t,;:\"|()[]{}<>/=";
    if (letters.size() > begin_ && kDelimiters.find(c) != std::string_view::npos) end(letters);
  }
  /// Ends the text. Returns its letters without labels, or "" if these are hardly any of the letters.
  /// O(letters).
  std::string without_labels(const std::string& letters);

 private:
  struct Field {
    std::uint64_t hash;
    std::size_t begin, end;
  };
  void end(const std::string& letters);
  std::vector<Field> fields_;
  std::size_t begin_ = 0;
};

}  // namespace gabbro::data
