// What both interfaces need of JSON, without its header: templates take the library's type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "chat/wire.h"

namespace gabbro::chat {

/// Of each interface: the body of a request, and what a body of status 200 says, which is an object.
std::string openai_body(const Request& request, const Endpoint& endpoint, const Model& model);
Answer openai_answer(const std::string& body);
std::string anthropic_body(const Request& request, const Endpoint& endpoint, const Model& model);
Answer anthropic_answer(const std::string& body);

/// On one line, at most 200 bytes, without control characters.
std::string beginning(std::string_view text);
/// Tells a server that is not made to keep to it about the schema.
std::string schema_in_words(const Request& request);

template <class Json>
Json parsed(const std::string& text) {
  return nesting(text) > kDeepest ? Json(Json::value_t::discarded) : Json::parse(text, nullptr, false);
}

/// On one line; what is not UTF-8 becomes U+FFFD.
template <class Json>
std::string dumped(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The schema of a request; null where it has none, or text that is none.
template <class Json>
Json schema_of(const Request& request) {
  Json schema = parsed<Json>(request.schema);
  return schema.is_object() ? schema : Json();
}

/// A schema without `pattern`, `minItems`, `maxItems`, `minLength` and `maxLength`, which strict decoders of
/// several servers refuse. Fields of these names stay.
template <class Json>
Json without_limits(const Json& schema) {
  if (!schema.is_structured()) return schema;
  Json out = schema;
  if (out.is_object())
    for (const char* limit : {"pattern", "minItems", "maxItems", "minLength", "maxLength"}) out.erase(limit);
  for (auto& [key, value] : out.items()) {
    if (key != "properties" || !value.is_object()) {
      value = without_limits(value);
      continue;
    }
    for (auto& field : value) field = without_limits(field);
  }
  return out;
}

/// The field's text; empty where it has none.
template <class Json>
std::string text_of(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->template get<std::string>() : std::string();
}

/// A count among the fields of `object`; empty: it is absent, or no sensible number.
template <class Json>
std::optional<std::int64_t> count_of(const Json& object, const char* key) {
  constexpr double kMost = 1e9;
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const auto value = found->template get<double>();
  if (!(value >= 0 && value <= kMost)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

}  // namespace gabbro::chat
