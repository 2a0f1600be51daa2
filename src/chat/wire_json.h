// JSON helpers of both protocols. Templates take the JSON type, so that its header is not included here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "chat/wire.h"

namespace gabbro::chat {

/// For each protocol: the body of a request; the reader of the body of a response, which has to be a JSON
/// object; and the body that the events of a stream make up. An error without a message is one without a
/// completion.
std::string openai_body(const ChatRequest& request, const Endpoint& endpoint, const ChatModel& model);
ParsedResponse parse_openai_response(const std::string& body, const ChatRequest& request,
                                     const Endpoint& endpoint);
std::string join_openai_events(const std::vector<std::string>& events);
std::string anthropic_body(const ChatRequest& request, const Endpoint& endpoint, const ChatModel& model);
ParsedResponse parse_anthropic_response(const std::string& body, const ChatRequest& request,
                                        const Endpoint& endpoint);
std::string join_anthropic_events(const std::vector<std::string>& events);

/// The data of the last event of an OpenAI stream.
inline constexpr std::string_view kEndOfEvents = "[DONE]";

/// Turns a response into an error of this failure.
void fail_as(ParsedResponse& response, CallFailure failure, const std::string& message,
             const std::string& hint = "");
/// Returns true if a text that stands in another field than that of the reply has the form that was asked
/// for: an object under a schema, anything under a grammar, else one fenced block and nothing else.
bool is_answer(const std::string& text, const ChatRequest& request, const Endpoint& endpoint);

/// Returns the beginning of a text on one line: at most 200 bytes, without control characters.
std::string beginning(std::string_view text);
/// Returns an instruction to follow the schema, for a server that cannot enforce it.
std::string schema_instruction(const ChatRequest& request);

/// Parses a text. The result is discarded (is_discarded()) if it is not valid JSON or nested deeper than
/// kMaxNesting.
template <class Json>
Json parsed(const std::string& text) {
  return nesting_depth(text) > kMaxNesting ? Json(Json::value_t::discarded)
                                           : Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

/// Serialises a value on one line; bytes that are not UTF-8 become U+FFFD.
template <class Json>
std::string dumped(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Returns the schema of a request; null if it has none or it is not a JSON object.
template <class Json>
Json schema_of(const ChatRequest& request) {
  Json schema = parsed<Json>(request.schema);
  return schema.is_object() ? schema : Json();
}

/// Returns a schema without `pattern`, `minItems`, `maxItems`, `minLength` and `maxLength`, which the strict
/// decoders of several servers refuse. Properties of these names stay.
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

/// Returns a field of `object`; null if there is none, or `object` is not an object.
template <class Json>
Json field_of(const Json& object, const char* key) {
  return object.is_object() ? object.value(key, Json()) : Json();
}

/// Returns the text of a field of `object`; empty if there is none.
template <class Json>
std::string text_of(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->template get<std::string>() : std::string();
}

/// Returns the count in a field of `object`; empty if the field is absent or not a number from 0 to 1e9.
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
