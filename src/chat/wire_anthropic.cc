// Anthropic's messages. The server caches everything before a `cache_control` mark: always the system prompt,
// and the whole conversation from its second turn on.
#include <nlohmann/json.hpp>

#include "chat/wire_json.h"

namespace gabbro::chat {

// Keeps the order of a schema's fields, since servers decode the fields in that order.
using json = nlohmann::ordered_json;

namespace {

constexpr const char* kTool = "reply";  // name of the tool whose arguments are the reply

json block(const std::string& text, bool cached) {
  json out{{"type", "text"}, {"text", text}};
  if (cached) out["cache_control"] = {{"type", "ephemeral"}};
  return out;
}

// Fills `system` and `messages`. Empty texts are left out, since the server refuses them. System messages
// after the first turn are sent as the user's. `suffix` is added to the last message.
void add_messages(json& body, const ChatRequest& request, const std::string& suffix) {
  std::string system;
  std::vector<Message> turns;
  for (const Message& m : request.messages) {
    if (m.text.empty()) continue;
    if (m.from == MessageRole::kSystem && turns.empty())
      system += (system.empty() ? "" : "\n\n") + m.text;
    else
      turns.push_back({m.from == MessageRole::kAssistant ? m.from : MessageRole::kUser, m.text});
  }
  // The first turn has to be the user's.
  if (turns.empty() || turns.front().from != MessageRole::kUser)
    turns.insert(turns.begin(), {MessageRole::kUser, "Begin."});
  turns.back().text += suffix;
  if (!system.empty()) body["system"] = json::array({block(system, /*cached=*/true)});
  body["messages"] = json::array();
  for (const Message& m : turns) {
    const bool cached = turns.size() > 1 && &m == &turns.back();
    body["messages"].push_back(
        {{"role", record::word_of(m.from)}, {"content", json::array({block(m.text, cached)})}});
  }
}

std::optional<TokenUsage> usage_of(const json& body) {
  const json usage = body.value("usage", json());
  const auto input = count_of(usage, "input_tokens"), output = count_of(usage, "output_tokens");
  if (!input || !output) return std::nullopt;
  const auto read = count_of(usage, "cache_read_input_tokens").value_or(0),
             written = count_of(usage, "cache_creation_input_tokens").value_or(0);
  // Anthropic's count of input excludes both.
  return TokenUsage{.input = *input + read + written, .cached = read, .written = written, .output = *output};
}

}  // namespace

std::string anthropic_body(const ChatRequest& request, const Endpoint& endpoint, const ChatModel& model) {
  json body{{"model", model.model}, {"max_tokens", max_output_tokens(request, model)}};
  const json schema = without_limits(schema_of<json>(request));
  if (!schema.is_null() && endpoint.structured == Structured::kTool) {
    body["tools"] =
        json::array({{{"name", kTool}, {"description", "Takes the reply."}, {"input_schema", schema}}});
    body["tool_choice"] = {{"type", "tool"}, {"name", kTool}};
  } else if (!schema.is_null() && endpoint.structured == Structured::kSchema) {
    body["output_config"] = {{"format", {{"type", "json_schema"}, {"schema", schema}}}};
  }
  const bool in_words = !schema.is_null() && endpoint.structured == Structured::kNone;
  add_messages(body, request, in_words ? schema_instruction(request) : "");
  if (model.thinking == 0)
    body["temperature"] = std::min(model.temperature >= 0 ? model.temperature : request.temperature, 1.0);
  return dumped(body);
}

ParsedResponse parse_anthropic_response(const std::string& text) {
  const json body = parsed<json>(text);
  ParsedResponse out;
  out.usage = usage_of(body);
  out.reply = fail("chat reply", "");  // parse_response fills the message
  const json content = body.value("content", json());
  if (!content.is_array()) return out;
  Reply reply;
  const std::string end = text_of(body, "stop_reason");
  reply.cut = end == "max_tokens" || end == "model_context_window_exceeded";
  if (out.usage) reply.usage = *out.usage;
  for (const json& part : content) {
    const std::string type = text_of(part, "type");
    if (type == "tool_use" && part.contains("input")) {
      reply.text = dumped(part["input"]);
      break;
    }
    if (type == "text") reply.text += text_of(part, "text");
  }
  if (reply.text.empty()) {
    out.reply = end == "refusal" ? fail("chat reply", "the model refused")
                : reply.cut      ? fail("chat reply", "the reply was cut off before any text")
                                 : fail("chat reply", "the reply is empty");
    return out;
  }
  out.reply = std::move(reply);
  return out;
}

}  // namespace gabbro::chat
