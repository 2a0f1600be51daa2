// What a schema may ask for beyond types, for one question: only paths that exist, only so many units.
//
// A server that decodes by the schema then cannot spend a reply on what would be refused anyway. Limits are
// JSON schema's `pattern`, `maxItems` and `maxLength`; src/chat leaves them out where servers refuse them.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gabbro::agents {

struct Limits {
  std::map<std::string, std::vector<std::string>> choices{};  // of a field, a text: all that it may be
  std::map<std::string, std::pair<int, int>> counts{};        // of a field, a list: its least and most items
};

/// `schema`, an object's, with `limits` on the fields that it has. Choices of a field are left open where
/// they are none.
std::string limited(const std::string& schema, const Limits& limits);

}  // namespace gabbro::agents
