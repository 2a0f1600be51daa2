// OpenAI's chat completions. Grammars use llama.cpp's field `grammar`, which its server does not accept
// together with a schema.
#include <nlohmann/json.hpp>

#include "chat/wire_json.h"

namespace gabbro::chat {

// Keeps the order of a schema's fields, since servers decode the fields in that order.
using json = nlohmann::ordered_json;

namespace {

// Returns true if a schema has the form that strict decoding requires: its objects are closed and all their
// fields are required.
bool is_strict(const json& schema) {
  if (!schema.is_structured()) return true;
  if (const auto fields = schema.find("properties");
      schema.is_object() && fields != schema.end() && fields->is_object()) {
    const json required = schema.value("required", json::array());
    if (schema.value("additionalProperties", json(true)) != json(false) || !required.is_array()) return false;
    for (const auto& [name, field] : fields->items())
      if (std::find(required.begin(), required.end(), json(name)) == required.end()) return false;
  }
  return std::all_of(schema.begin(), schema.end(), is_strict);
}

// Returns the text of a message, which is a string or a list of parts with texts.
std::string content_of(const json& message) {
  const auto content = message.find("content");
  if (content == message.end()) return {};
  if (content->is_string()) return content->get<std::string>();
  std::string out;
  if (content->is_array())
    for (const json& part : *content) out += text_of(part, "text");
  return out;
}

// Removes the reasoning that some servers leave at the beginning of the reply.
std::string without_reasoning(std::string text) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  const std::size_t from = text.find_first_not_of(" \n\r\t");
  if (from == std::string::npos || text.compare(from, kOpen.size(), kOpen) != 0) return text;
  const std::size_t end = text.find(kClose, from);
  if (end == std::string::npos) return {};  // The reply was cut during the reasoning.
  const std::size_t to = text.find_first_not_of(" \n\r\t", end + kClose.size());
  return to == std::string::npos ? std::string() : text.substr(to);
}

std::optional<TokenUsage> usage_of(const json& body) {
  const json usage = body.value("usage", json());
  const auto input = count_of(usage, "prompt_tokens"), output = count_of(usage, "completion_tokens");
  if (!input || !output) return std::nullopt;
  const json details = usage.value("prompt_tokens_details", json());
  TokenUsage out{.input = *input,
                 .cached = count_of(details, "cached_tokens").value_or(0),
                 .written = count_of(details, "cache_write_tokens").value_or(0),
                 .output = *output};
  out.cached = std::min(out.cached, out.input);
  out.written = std::min(out.written, out.input - out.cached);
  return out;
}

}  // namespace

std::string openai_body(const ChatRequest& request, const Endpoint& endpoint, const ChatModel& model) {
  json body{{"model", model.model}, {"messages", json::array()}, {"stream", false}};
  for (const Message& m : request.messages)
    body["messages"].push_back({{"role", record::word_of(m.from)}, {"content", m.text}});
  // Reasoning models use another name for the limit and accept no temperature.
  body[model.thinking > 0 ? "max_completion_tokens" : "max_tokens"] = max_output_tokens(request, model);
  if (model.thinking == 0)
    body["temperature"] = model.temperature >= 0 ? model.temperature : request.temperature;
  json schema = schema_of<json>(request);
  if (endpoint.structured == Structured::kSchema) schema = without_limits(schema);
  if (!request.grammar.empty() && endpoint.structured == Structured::kGrammar) {
    body["grammar"] = request.grammar;
  } else if (!schema.is_null()) {
    if (endpoint.structured == Structured::kSchema || endpoint.structured == Structured::kGrammar)
      body["response_format"] = {
          {"type", "json_schema"},
          {"json_schema", {{"name", "reply"}, {"strict", is_strict(schema)}, {"schema", schema}}}};
    else if (endpoint.structured == Structured::kObject)
      body["response_format"] = {{"type", "json_object"}};
    if (endpoint.structured != Structured::kSchema && endpoint.structured != Structured::kGrammar &&
        !body["messages"].empty()) {
      json& content = body["messages"].back()["content"];
      content = content.get<std::string>() + schema_instruction(request);
    }
  }
  return dumped(body);
}

ParsedResponse parse_openai_response(const std::string& text) {
  const json body = parsed<json>(text);
  ParsedResponse out;
  out.usage = usage_of(body);
  out.reply = fail("chat reply", "");  // parse_response fills the message
  const json choices = body.value("choices", json());
  if (!choices.is_array() || choices.empty() || !choices[0].is_object()) return out;
  const json message = choices[0].value("message", json());
  if (!message.is_object()) return out;
  Reply reply;
  reply.text = without_reasoning(content_of(message));
  reply.cut = text_of(choices[0], "finish_reason") == "length";
  if (out.usage) reply.usage = *out.usage;
  if (reply.text.empty()) {
    const std::string refusal = text_of(message, "refusal");
    out.reply = !refusal.empty() ? fail("chat reply", "the model refused: " + beginning(refusal))
                : reply.cut
                    ? fail("chat reply", "the reply was cut off before any text",
                           "the model spends its tokens on thinking first: allow for them with `thinking`")
                    : fail("chat reply", "the reply is empty");
    return out;
  }
  out.reply = std::move(reply);
  return out;
}

}  // namespace gabbro::chat
