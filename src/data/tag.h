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

struct Tag {
  std::size_t bytes = 0;  // 0 if there is none
  bool is_whole = false;  // it ends with '>'
};

/// Reads the tag with which `text` begins: a name, and attributes, few of them without a value. A tag is cut
/// after its last value where anything else follows, or after `max_bytes`: what then stands between '<' and
/// '>' is text. Appends the attributes to `attributes`, unless it is null. O(bytes of the tag).
Tag read_tag(std::string_view text, std::size_t max_bytes, std::vector<Attribute>* attributes);

}  // namespace gabbro::data
