#include "chat/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "chat/refusal.h"
#include "chat/wire_json.h"

namespace gabbro::chat {

using nlohmann::json;

namespace {

constexpr std::size_t kBeginningBytes = 200;
// Tokens allowed for what servers add to a request (templates, tools) and to each message.
constexpr std::int64_t kRequestOverhead = 600, kMessageOverhead = 16;

// Returns true if the text is an event stream instead of one JSON value.
bool is_event_stream(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \r\n\t"), text.size()));
  return text.starts_with("data:") || text.starts_with("event:") || text.starts_with(": ");
}

// Returns the data of each event of a stream. Servers send one line of data for each event.
std::vector<std::string> events_of(std::string_view text) {
  constexpr std::string_view kField = "data:";
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(kField)) continue;
    line.remove_prefix(kField.size());
    while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    out.emplace_back(line);
  }
  return out;
}

std::string one_body(const net::HttpResponse& response, const Endpoint& endpoint) {
  std::string body = mended_json(response.body);
  if (!is_event_stream(body)) return body;
  return endpoint.wire == Wire::kOpenai ? join_openai_events(events_of(body))
                                        : join_anthropic_events(events_of(body));
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \r\n\t") == std::string::npos; }

// Returns true if the body reports an error. Some servers have an empty one in every response.
bool reports_error(const json& body) {
  const auto error = body.find("error");
  return error != body.end() &&
         ((error->is_string() && *error != "") || (error->is_object() && !error->empty()));
}

}  // namespace

std::string schema_instruction(const ChatRequest& request) {
  return "\n\nReply with one JSON object of this schema and with nothing else:\n" + request.schema;
}

std::string beginning(std::string_view text) {
  std::string out(text.substr(0, kBeginningBytes));
  while (!out.empty() && text.size() > kBeginningBytes && (out.back() & 0xC0) == 0x80)
    out.pop_back();  // Removes the continuation bytes of a character that was cut.
  if (!out.empty() && text.size() > kBeginningBytes && static_cast<unsigned char>(out.back()) >= 0xC0)
    out.pop_back();
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text.size() > kBeginningBytes ? out + " ..." : out;
}

net::HttpRequest to_http(const ChatRequest& request, const Endpoint& endpoint, const ChatModel& model,
                         const std::string& key) {
  const bool openai = endpoint.wire == Wire::kOpenai;
  net::HttpRequest out;
  out.url = endpoint.url + (openai ? "/chat/completions" : "/messages");
  out.body = openai ? openai_body(request, endpoint, model) : anthropic_body(request, endpoint, model);
  out.seconds = endpoint.seconds;
  out.headers["Content-Type"] = "application/json";
  if (!openai) out.headers["anthropic-version"] = "2023-06-01";
  if (!key.empty()) out.headers[openai ? "Authorization" : "x-api-key"] = openai ? "Bearer " + key : key;
  return out;
}

void fail_as(ParsedResponse& response, CallFailure failure, const std::string& message,
             const std::string& hint) {
  response.failure = failure;
  response.reply =
      tl::unexpected(Error{std::string(record::word_of(rule_of(failure).code)), message, hint, {}});
}

bool is_answer(const std::string& text, const ChatRequest& request, const Endpoint& endpoint) {
  if (!request.schema.empty()) return parsed<json>(text).is_object();
  if (!request.grammar.empty() && endpoint.structured == Structured::kGrammar) return true;
  constexpr std::string_view kFence = "```", kBlank = " \r\n\t";
  const std::size_t from = text.find_first_not_of(kBlank), to = text.find_last_not_of(kBlank);
  if (from == std::string::npos) return false;
  const std::string_view whole = std::string_view(text).substr(from, to + 1 - from);
  return whole.size() > 2 * kFence.size() && whole.starts_with(kFence) && whole.ends_with(kFence);
}

ParsedResponse parse_response(const net::HttpResponse& response, const ChatRequest& request,
                              const Endpoint& endpoint) {
  const bool is_success = response.status >= 200 && response.status < 300;
  const std::string text = one_body(response, endpoint);
  const json body = parsed<json>(text);
  ParsedResponse out;
  if (body.is_object())
    out = endpoint.wire == Wire::kOpenai ? parse_openai_response(text, request, endpoint)
                                         : parse_anthropic_response(text, request, endpoint);
  if (!is_success || (body.is_object() && !out.reply && !out.is_generated && reports_error(body))) {
    const Refusal refusal = read_refusal(response.status, text, endpoint);
    fail_as(out, refusal.failure, refusal.message, refusal.hint);
    return out;
  }
  out.is_generated = true;
  const auto no_reply = [&](CallFailure failure, const std::string& what, const std::string& hint = "") {
    fail_as(out, failure,
            fmt::format("{}: {}: {}", endpoint.name, what, text.empty() ? "nothing" : beginning(text)), hint);
  };
  if (is_blank(text))
    no_reply(CallFailure::kEmpty, "the response is empty");
  else if (body.is_discarded())
    no_reply(CallFailure::kUnreadable, "the response is not valid JSON",
             "check `url` in agents.toml; a proxy or a sign-in page of the network may answer instead of the "
             "server");
  else if (!body.is_object())
    no_reply(CallFailure::kUnreadable, "the response is not a JSON object");
  else if (!out.reply && out.reply.error().message.empty())
    no_reply(out.failure, "the response contains no completion");
  else if (!out.reply && !out.reply.error().message.starts_with(endpoint.name))
    fail_as(out, out.failure, endpoint.name + ": " + out.reply.error().message, out.reply.error().hint);
  return out;
}

namespace {

std::int64_t prompt_bytes(const ChatRequest& request) {
  std::int64_t bytes = 0;
  for (const Message& m : request.messages) bytes += static_cast<std::int64_t>(m.text.size());
  return bytes;
}

}  // namespace

bool is_prompt_cut(std::int64_t input, const ChatRequest& request) {
  constexpr std::int64_t kMostBytesPerToken = 6, kLeastBytes = 3000;  // short prompts say nothing
  const std::int64_t bytes = prompt_bytes(request);
  return input > 0 && bytes >= kLeastBytes && input * kMostBytesPerToken < bytes;
}

std::string cut_prompt(const TokenUsage& usage, const ChatRequest& request, const ChatModel& model) {
  if (!is_prompt_cut(usage.input, request)) return {};
  return fmt::format(
      "the server of {} read {} tokens of a prompt of {} bytes: it cuts prompts without a word (with Ollama, "
      "raise "
      "num_ctx to `context`), or does not count what it has cached",
      model.name, usage.input, prompt_bytes(request));
}

std::string uncapped_thoughts(const TokenUsage& usage, const ChatRequest& request, const ChatModel& model) {
  const std::int64_t most = max_output_tokens(request, model);
  if (usage.output <= most) return {};
  return fmt::format(
      "the server of {} counts {} tokens of output where at most {} were asked for: thoughts are billed; "
      "raise "
      "`thinking` of the model, so that they are reserved under the cap",
      model.name, usage.output, most);
}

TokenEstimate estimate_tokens(const ChatRequest& request) {
  auto bytes = static_cast<std::int64_t>(request.schema.size());
  for (const Message& m : request.messages) bytes += static_cast<std::int64_t>(m.text.size());
  const auto overhead = kMessageOverhead * static_cast<std::int64_t>(request.messages.size());
  return {.likely = bytes / 3 + overhead, .maximum = bytes + overhead + kRequestOverhead};
}

std::int64_t max_output_tokens(const ChatRequest& request, const ChatModel& model) {
  return std::max(request.max_tokens, 1) + model.thinking;
}

}  // namespace gabbro::chat
