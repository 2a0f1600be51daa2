// Finds the text that stands in the attributes of tags.
#pragma once

#include <string>

namespace gabbro::data {

/// Returns a text without its tags, followed by the values of their attributes: of all, a line for each tag,
/// if they hold most letters and digits (OPML, ALTO, exports of databases); otherwise of those that are
/// sentences. "" if there are none. Left out are values that a format puts into every record, as labels are
/// (fields.h), with their digits, and links, classes and styles of HTML. O(bytes).
std::string with_attributes(const std::string& text);

}  // namespace gabbro::data
