// OpenAI's chat completions. Grammars use llama.cpp's field `grammar`, which its server does not accept
// together with a schema.
#include <nlohmann/json.hpp>

#include "chat/refusal.h"
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

// Reads the counts of tokens. Some servers leave the thoughts out of `completion_tokens` and give them in
// `total_tokens` or in the details alone, but bill them. Where the details name no thoughts and the prompt
// was counted as cut, the rest of the total is the rest of the prompt.
void read_usage(const json& body, const ChatRequest& request, ParsedResponse& out) {
  const json usage = field_of(body, "usage");
  const auto input = count_of(usage, "prompt_tokens"), completion = count_of(usage, "completion_tokens");
  if (!input || !completion) return;
  const json details = field_of(usage, "prompt_tokens_details");
  const std::int64_t thoughts =
      count_of(field_of(usage, "completion_tokens_details"), "reasoning_tokens").value_or(0);
  const std::int64_t cached = count_of(details, "cached_tokens").value_or(0),
                     written = count_of(details, "cache_write_tokens").value_or(0);
  auto total = count_of(usage, "total_tokens");
  const std::int64_t rest = total ? *total - *input - *completion : 0;
  if (rest > 0 && thoughts == 0 && is_prompt_cut(*input, request) &&
      *input + rest <= estimate_tokens(request).maximum) {
    out.uncounted_input = rest;
    *total -= rest;
  }
  TokenUsage counts{.input = *input, .output = total ? std::max(*completion, *total - *input) : *completion};
  const bool has_no_thoughts = counts.output < thoughts;
  if (has_no_thoughts) counts.output += thoughts;
  out.is_usage_doubtful = (total && (*total < *input + *completion || has_no_thoughts)) ||
                          cached + written > *input || (*input == 0 && *completion > 0);
  counts.cache_read = std::min(cached, counts.input);
  counts.cache_written = std::min(written, counts.input - counts.cache_read);
  out.usage = counts;
}

// The text of a message, and where it stands.
struct Found {
  std::string text, elsewhere;  // elsewhere: text in a field that is not that of the reply
  const char* field = "";       // the field of `elsewhere`
};

// Returns the arguments of the first tool call as text.
std::string arguments_of(const json& message) {
  const auto calls = message.find("tool_calls");
  const json call = calls != message.end() && calls->is_array() && !calls->empty() && (*calls)[0].is_object()
                        ? field_of((*calls)[0], "function")
                        : field_of(message, "function_call");
  if (!call.is_object()) return {};
  const json arguments = field_of(call, "arguments");
  if (arguments.is_string()) return arguments.get<std::string>();
  return arguments.is_object() ? dumped(arguments) : std::string();
}

Found find_text(const json& message) {
  Found out{.text = without_reasoning(content_of(message)), .elsewhere = {}};
  if (!out.text.empty()) return out;
  for (const char* field : {"reasoning_content", "reasoning", "thinking"})
    if (const std::string text = text_of(message, field); !text.empty()) return {{}, text, field};
  return {{}, arguments_of(message), "tool_calls"};
}

// Reads a failure that is reported inside of the choice. Returns false if there is none.
bool read_choice_failure(const json& choice, const Endpoint& endpoint, ParsedResponse& out) {
  const std::string end = text_of(choice, "finish_reason");
  if (const json error = field_of(choice, "error"); error.is_object() && !error.empty()) {
    const Refusal refusal = read_refusal(200, dumped(json{{"error", error}}), endpoint);
    // The server accepted the request, so that what failed is not the request.
    fail_as(out, refusal.failure == CallFailure::kRequest ? CallFailure::kDown : refusal.failure,
            refusal.message, refusal.hint);
    return true;
  }
  if (end == "error") fail_as(out, CallFailure::kDown, "the server broke off its reply");
  if (end == "content_filter")
    fail_as(out, CallFailure::kFiltered, "the server's content filter refused the reply",
            "give the role another model, or change the setting of the filter at the server");
  return end == "error" || end == "content_filter";
}

void fail_without_text(const json& message, const Found& found, bool cut, ParsedResponse& out) {
  if (const std::string refusal = text_of(message, "refusal"); !refusal.empty())
    return fail_as(out, CallFailure::kDeclined, "the model refused: " + beginning(refusal));
  if (cut)
    return fail_as(out, CallFailure::kOnlyThought, "the reply was cut off before any text",
                   "the model spends its tokens on thinking first: allow for them with `thinking`");
  if (found.elsewhere.empty()) return fail_as(out, CallFailure::kEmpty, "the reply is empty");
  fail_as(out, CallFailure::kOnlyThought,
          std::string("the reply is empty, and `") + found.field + "` has: " + beginning(found.elsewhere),
          "the model only thought: switch thinking off or the reasoning parser of the server, or change "
          "`structured` or `thinking` in agents.toml");
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

ParsedResponse parse_openai_response(const std::string& text, const ChatRequest& request,
                                     const Endpoint& endpoint) {
  const json body = parsed<json>(text);
  ParsedResponse out;
  read_usage(body, request, out);
  fail_as(out, CallFailure::kEmpty, "");  // parse_response fills the message
  const json choices = field_of(body, "choices");
  if (!choices.is_array() || choices.empty() || !choices[0].is_object()) return out;
  out.is_generated = true;
  if (read_choice_failure(choices[0], endpoint, out)) return out;
  const json message = field_of(choices[0], "message");
  if (!message.is_object()) return out;
  Found found = find_text(message);
  if (found.text.empty() && is_answer(found.elsewhere, request, endpoint)) found.text = found.elsewhere;
  Reply reply;
  const std::string end = text_of(choices[0], "finish_reason");
  reply.was_cut = end == "length" || end == "max_tokens";
  if (found.text.empty()) {
    fail_without_text(message, found, reply.was_cut, out);
    return out;
  }
  // A text without tokens was not counted.
  if (out.usage && out.usage->output == 0) out.is_usage_doubtful = true;
  if (out.usage) reply.usage = *out.usage;
  reply.text = std::move(found.text);
  out.failure = CallFailure::kNone;
  out.reply = std::move(reply);
  return out;
}

std::string join_openai_events(const std::vector<std::string>& events) {
  json choice = json::object(), usage, error;
  std::string content, thoughts, arguments;
  bool is_whole = false;  // the end has arrived
  for (const std::string& event : events) {
    is_whole = is_whole || event == kEndOfEvents;
    const json chunk = parsed<json>(event);
    if (const json e = field_of(chunk, "error"); !e.is_null()) error = e;
    if (const json counts = field_of(chunk, "usage"); counts.is_object()) usage = counts;
    const json choices = field_of(chunk, "choices");
    if (!choices.is_array() || choices.empty()) continue;
    if (const std::string end = text_of(choices[0], "finish_reason"); !end.empty())
      choice["finish_reason"] = end;
    json delta = field_of(choices[0], "delta");
    if (!delta.is_object()) delta = field_of(choices[0], "message");
    if (!delta.is_object()) continue;
    content += content_of(delta);
    for (const char* field : {"reasoning_content", "reasoning"}) thoughts += text_of(delta, field);
    arguments += arguments_of(delta);
  }
  const bool has_begun = !content.empty() || !thoughts.empty() || !arguments.empty();
  if (!error.is_null() && !has_begun) return dumped(json{{"error", error}, {"usage", usage}});
  if (!error.is_null() || (!is_whole && !choice.contains("finish_reason"))) choice["finish_reason"] = "error";
  choice["message"] = {{"content", content}, {"reasoning_content", thoughts}};
  if (!arguments.empty())
    choice["message"]["tool_calls"] = json::array({{{"function", {{"arguments", arguments}}}}});
  return dumped(json{{"choices", json::array({choice})}, {"usage", usage}});
}

}  // namespace gabbro::chat
