// Anthropic's messages. The server caches everything before a `cache_control` mark: always the system prompt,
// and the whole conversation from its second turn on.
#include <nlohmann/json.hpp>
#include <utility>

#include "chat/wire_json.h"

namespace gabbro::chat {

// Keeps the order of a schema's fields, since servers decode the fields in that order.
using json = nlohmann::ordered_json;

namespace {

constexpr const char* kTool = "reply";       // name of the tool whose arguments are the reply
constexpr const char* kBrokenOff = "error";  // stop_reason of a stream that ends before its end

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
    if (m.from == MessageAuthor::kSystem && turns.empty())
      system += (system.empty() ? "" : "\n\n") + m.text;
    else
      turns.push_back({m.from == MessageAuthor::kAssistant ? m.from : MessageAuthor::kUser, m.text});
  }
  // The first turn has to be the user's.
  if (turns.empty() || turns.front().from != MessageAuthor::kUser)
    turns.insert(turns.begin(), {MessageAuthor::kUser, "Begin."});
  turns.back().text += suffix;
  if (!system.empty()) body["system"] = json::array({block(system, /*cached=*/true)});
  body["messages"] = json::array();
  for (const Message& m : turns) {
    const bool cached = turns.size() > 1 && &m == &turns.back();
    body["messages"].push_back(
        {{"role", record::word_of(m.from)}, {"content", json::array({block(m.text, cached)})}});
  }
}

void read_usage(const json& body, ParsedResponse& out) {
  const json usage = field_of(body, "usage");
  const auto input = count_of(usage, "input_tokens"), output = count_of(usage, "output_tokens");
  if (!input || !output) return;
  const auto read = count_of(usage, "cache_read_input_tokens").value_or(0),
             written = count_of(usage, "cache_creation_input_tokens").value_or(0);
  // Anthropic's count of input excludes both.
  out.usage = TokenUsage{
      .input = *input + read + written, .cache_read = read, .cache_written = written, .output = *output};
  out.is_usage_doubtful = out.usage->input == 0 && *output > 0;
}

void fail_without_text(const std::string& end, const std::string& thoughts, bool cut, ParsedResponse& out) {
  if (end == "refusal") return fail_as(out, CallFailure::kDeclined, "the model refused");
  if (cut)
    return fail_as(out, CallFailure::kOnlyThought, "the reply was cut off before any text",
                   "the model spends its tokens on thinking first: allow for them with `thinking`");
  if (thoughts.empty()) return fail_as(out, CallFailure::kEmpty, "the reply is empty");
  fail_as(out, CallFailure::kOnlyThought, "the reply is empty, and `thinking` has: " + beginning(thoughts),
          "the model only thought: allow for its thoughts with `thinking`, or switch them off at the server");
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

ParsedResponse parse_anthropic_response(const std::string& text, const ChatRequest& request,
                                        const Endpoint& endpoint) {
  const json body = parsed<json>(text);
  ParsedResponse out;
  read_usage(body, out);
  fail_as(out, CallFailure::kEmpty, "");  // parse_response fills the message
  const json content = field_of(body, "content");
  if (!content.is_array()) return out;
  out.is_generated = true;
  Reply reply;
  const std::string end = text_of(body, "stop_reason");
  reply.was_cut = end == "max_tokens" || end == "model_context_window_exceeded";
  if (end == kBrokenOff) {
    out.is_usage_doubtful = true;
    fail_as(out, CallFailure::kDown, "the server broke off its reply");
    return out;
  }
  std::string thoughts;
  for (const json& part : content) {
    const std::string type = text_of(part, "type");
    if (type == "tool_use" && part.contains("input")) {
      reply.text = dumped(part["input"]);
      break;
    }
    if (type == "text") reply.text += text_of(part, "text");
    if (type == "thinking") thoughts += text_of(part, "thinking");
  }
  if (reply.text.empty() && is_answer(thoughts, request, endpoint)) reply.text = thoughts;
  if (reply.text.empty()) {
    fail_without_text(end, thoughts, reply.was_cut, out);
    return out;
  }
  if (out.usage && out.usage->output == 0) out.is_usage_doubtful = true;
  if (out.usage) reply.usage = *out.usage;
  out.failure = CallFailure::kNone;
  out.reply = std::move(reply);
  return out;
}

std::string join_anthropic_events(const std::vector<std::string>& events) {
  json content = json::array(), usage = json::object();
  std::string arguments;         // of the tool call that is open
  std::string end = kBrokenOff;  // the reason of the end, once it has arrived
  const auto add_usage = [&](const json& counts) {
    if (counts.is_object())
      for (const auto& [name, count] : counts.items()) usage[name] = count;
  };
  const auto append = [&](const char* field, const std::string& more) {
    json& text = content.back()[field];
    if (!text.is_string()) text = "";
    text.get_ref<std::string&>() += more;
  };
  for (const std::string& event : events) {
    const json e = parsed<json>(event);
    const std::string type = text_of(e, "type");
    if (type == "error" && content.empty()) return dumped(json{{"error", field_of(e, "error")}});
    if (type == "error") break;
    add_usage(field_of(field_of(e, "message"), "usage"));
    add_usage(field_of(e, "usage"));
    if (const json block = field_of(e, "content_block"); block.is_object()) content.push_back(block);
    const json delta = field_of(e, "delta");
    for (const char* field : {"text", "thinking"})
      if (const std::string more = text_of(delta, field); !more.empty() && !content.empty())
        append(field, more);
    arguments += text_of(delta, "partial_json");
    if (const std::string reason = text_of(delta, "stop_reason"); !reason.empty()) end = reason;
    if (type == "content_block_stop" && !arguments.empty() && !content.empty()) {
      const json input = parsed<json>(std::exchange(arguments, {}));
      content.back()["input"] = input.is_object() ? input : json::object();
    }
  }
  return dumped(json{{"content", content}, {"usage", usage}, {"stop_reason", end}});
}

}  // namespace gabbro::chat
