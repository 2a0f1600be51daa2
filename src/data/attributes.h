// Finds the text that stands in the attributes of tags.
#pragma once

#include <string>

namespace gabbro::data {

/// Returns a text whose tags mostly hold it in their attributes (OPML, ALTO, exports of databases) without
/// its tags, followed by the values of their attributes, a line for each tag; "" if more letters and digits
/// stand outside of tags. Left out are values that a format puts into every record, as labels are
/// (fields.h), with their digits, and links, classes and styles of HTML. O(bytes).
std::string with_attributes(const std::string& text);

}  // namespace gabbro::data
