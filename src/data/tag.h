// Reads tags of HTML and XML.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace gabbro::data {

/// An attribute with a value, without its quotes.
struct Attribute {
  std::string_view name, value;
};

/// Reads the tag with which `text` begins: a name, and attributes, few of them without a value. Where
/// anything else follows, or after `max_bytes`, the tag ends with its last value: what then stands between
/// '<' and '>' is text. Returns its bytes, or 0 if there is none. Appends the attributes to `attributes`,
/// unless it is null. O(bytes of the tag).
std::size_t read_tag(std::string_view text, std::size_t max_bytes, std::vector<Attribute>* attributes);

}  // namespace gabbro::data
