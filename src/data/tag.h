// Reads tags of HTML and XML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace gabbro::data {

/// The names of a document's elements, so that words between '<' and '>' are not taken for them.
class ElementNames {
 public:
  /// Collects the names that the document opens as well as closes, and those that begin at least 16 tags, and
  /// one in 50. O(bytes).
  explicit ElementNames(std::string_view document);
  /// Returns true for these, and for the elements of HTML.
  [[nodiscard]] bool contains(std::string_view name) const;

 private:
  std::unordered_set<std::uint64_t> of_document_;  // hashes
};

/// An attribute with a value, without its quotes.
struct Attribute {
  std::string_view name, value;
};

/// Reads the tag with which `text` begins: a name, and attributes. Those of HTML or with a sign in their name
/// may be without a value, and so may up to four others of an element. Quotes may be escaped (\"), as within
/// strings. Where anything else follows, or after `max_bytes`, the tag ends with its last value: what then
/// stands between '<' and '>' is text. So is a tag without any value whose name is no element's. Returns its
/// bytes, or 0 if there is none. Appends the attributes to `attributes`, unless it is null. O(bytes of the
/// tag).
std::size_t read_tag(std::string_view text, const ElementNames& names, std::size_t max_bytes,
                     std::vector<Attribute>* attributes);

}  // namespace gabbro::data
