#include "chat/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "chat/wire_json.h"

namespace gabbro::chat {

using nlohmann::json;

namespace {

constexpr std::size_t kBeginningBytes = 200;
// Tokens allowed for what servers add to a request (templates, tools) and to each message.
constexpr std::int64_t kRequestOverhead = 600, kMessageOverhead = 16;

bool contains_any(const std::string& body, std::initializer_list<const char*> texts) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const char* text) { return body.find(text) != std::string::npos; });
}

// Returns the server's error message: from {"error": {"message": ...}}, {"error": "..."}, {"message": ...} or
// {"detail": ...}, or else the beginning of the body.
std::string message_of(const std::string& body) {
  const json j = parsed<json>(body);
  if (j.is_object()) {
    const auto error = j.find("error");
    if (error != j.end() && error->is_string()) return beginning(error->get<std::string>());
    for (const json& object : {error != j.end() && error->is_object() ? *error : json::object(), j})
      for (const char* key : {"message", "detail"})
        if (const std::string text = text_of(object, key); !text.empty()) return beginning(text);
  }
  return body.empty() ? "nothing" : beginning(body);
}

// Maps a response with a status of 300 or above to an error.
ParsedResponse refusal(const net::HttpResponse& response, const Endpoint& endpoint) {
  const int status = response.status;
  const std::string& body = response.body;
  const std::string message = fmt::format("{}: status {}: {}", endpoint.name, status, message_of(body));
  const bool no_money = contains_any(body, {"insufficient_quota", "credit balance is too low"});
  if (status == 401 || status == 402 || status == 403 || no_money)
    return {fail("chat key", message,
                 no_money || status == 402 ? "top up the account: it has no credit left"
                 : endpoint.key.empty()    ? "the endpoint needs a key: set key = \"NAME_OF_VARIABLE\""
                                           : "check the key in " + endpoint.key)};
  // With this type, a prompt that is too long may also have status 500. Status 429 limits the rate of
  // requests, whatever its text says.
  if ((status < 500 || contains_any(body, {"exceed_context_size_error"})) && status != 429 &&
      contains_any(body, {"exceed_context_size_error", "context_length_exceeded", "maximum context length",
                          "context window", "context size", "prompt is too long"}))
    return {fail("chat context", message, "lower `context` of the model in agents.toml to the server's")};
  if (status == 408 || status == 409 || status == 425 || status == 429 || status >= 500)
    return {.reply = fail("chat down", message), .usage = std::nullopt, .may_retry = true};
  std::string hint;
  if (status < 400) hint = "the server redirects: correct `url` in agents.toml";
  if (status == 404)
    hint = "check that `url` ends as the server expects (often in /v1), and that the server has the model";
  if (status == 400 || status == 422)
    hint =
        "if it is about schemas, tools or grammars, change `structured`; if about temperature or max_tokens, "
        "`thinking`";
  return {fail("chat reply", message, hint)};
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

ParsedResponse parse_response(const net::HttpResponse& response, const Endpoint& endpoint) {
  if (response.status < 200 || response.status >= 300) return refusal(response, endpoint);
  const json body = parsed<json>(response.body);
  const auto no_reply = [&](const std::string& what) {
    return fail("chat reply", fmt::format("{}: {}: {}", endpoint.name, what,
                                          response.body.empty() ? "nothing" : beginning(response.body)));
  };
  if (body.is_discarded()) return {no_reply("the response is not valid JSON")};
  if (!body.is_object()) return {no_reply("the response is not a JSON object")};
  if (const auto error = body.find("error"); error != body.end() && !error->is_null()) {
    // Routers answer with status 200 if a server behind them failed; the true status is then in the body.
    const auto status = count_of(*error, "code");
    return refusal({.status = static_cast<int>(status.value_or(400)), .headers = {}, .body = response.body},
                   endpoint);
  }
  ParsedResponse out = endpoint.wire == Wire::kOpenai ? parse_openai_response(response.body)
                                                      : parse_anthropic_response(response.body);
  if (!out.reply && out.reply.error().message.empty())
    out.reply = no_reply("the response contains no completion");
  if (!out.reply && !out.reply.error().message.starts_with(endpoint.name))
    out.reply = fail("chat reply", endpoint.name + ": " + out.reply.error().message, out.reply.error().hint);
  return out;
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
