// Finds the labels that a format puts into every record, such as the keys of JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gabbro::data {

/// Collects the fields of a text: letters between delimiters.
class Fields {
 public:
  /// A character that is no letter; `letters` are those of the text so far.
  void add_other(char c, const std::string& letters) {
    constexpr std::string_view kDelimiters = "\n\r\t,;:\"|()[]{}<>/=";
    if (letters.size() > begin_ && kDelimiters.find(c) != std::string_view::npos) end(letters);
  }
  /// Ends the text. Returns its letters without the fields that occur at least 8 times and half as often as
  /// the most frequent one, or "" if these are hardly any of the letters. O(letters).
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
