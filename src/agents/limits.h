// Limits that a schema sets for one question beyond types, such as paths that exist or a number of units.
//
// A server that decodes by the schema then cannot spend a reply on values that would be refused anyway.
// Limits use JSON schema's `pattern`, `minItems` and `maxItems`; src/chat leaves these out for servers that
// refuse them, together with the limits of lengths that schema files contain.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gabbro::agents {

struct FieldLimits {
  std::map<std::string, std::vector<std::string>> choices{};  // allowed values of a text field, by field name
  std::map<std::string, std::pair<int, int>> counts{};  // minimum and maximum number of items of a list field
};

/// Returns `schema`, the JSON schema of an object, with `limits` added to the fields that it has; other
/// fields of `limits` are ignored. A field with an empty list of choices is not restricted.
std::string limited(const std::string& schema, const FieldLimits& limits);

}  // namespace gabbro::agents
