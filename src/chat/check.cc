#include "chat/check.h"

#include <fmt/format.h>
#include <algorithm>

#include <nlohmann/json.hpp>

#include "chat/client.h"
#include "chat/wire_json.h"

namespace gabbro::chat {

using nlohmann::json;

namespace {

constexpr const char* kSchema =
    R"({"type":"object","properties":{"colour":{"type":"string"},"count":{"type":"integer"}},)"
    R"("required":["colour","count"],"additionalProperties":false})";
constexpr const char* kGrammar = "root ::= \"yes\" | \"no\"";
constexpr int kMaxReplyTokens = 200;
constexpr int kMaxRetries = 1;

ChatRequest question(const std::string& text) {
  ChatRequest r;
  r.role = std::string(roles().front());  // any role: the model that is asked plays all
  r.messages = {{MessageRole::kSystem, "You are being tested. Answer briefly."}, {MessageRole::kUser, text}};
  r.max_tokens = kMaxReplyTokens;
  r.temperature = 0;
  return r;
}

// Returns the reply, or an error if it does not have the form that was requested.
Result<Reply> require_form(Result<Reply> reply, const char* form, const char* hint,
                           const std::function<bool(const std::string&)>& fits) {
  if (!reply || fits(reply->text)) return reply;
  return fail("chat reply", fmt::format("the reply is not {}: {}", form, beginning(reply->text)), hint);
}

bool is_structured(const std::string& text) {
  const json j = parsed<json>(text);
  return j.is_object() && !text_of(j, "colour").empty() && count_of(j, "count").has_value();
}

ModelCheck check(Chat& chat, const ChatModel& model, const Endpoint& endpoint) {
  ModelCheck out;
  out.model = model.name;
  out.endpoint = endpoint.name;
  const auto ask = [&](const ChatRequest& r) {
    auto reply = chat.ask(r);
    ++out.calls;
    if (reply) {
      out.money += reply->cost;
      out.tokens += reply->usage.input + reply->usage.output;
    }
    return reply;
  };
  out.text = ask(question("Say the word: basalt"));
  if (!out.text) return out;
  out.seconds = out.text->seconds;
  ChatRequest structured = question("Three red apples. Give their colour and count as JSON.");
  structured.schema = kSchema;
  out.structured =
      require_form(ask(structured), "valid under the schema",
                   "set `structured` of the endpoint to what the server supports", is_structured);
  if (endpoint.structured == Structured::kGrammar) {
    ChatRequest grammar = question("Is basalt a rock? Explain in a sentence.");
    grammar.grammar = kGrammar;
    out.grammar = require_form(ask(grammar), "valid under the grammar",
                               "if the server does not accept grammars, set structured = \"schema\"",
                               [](const std::string& text) { return text == "yes" || text == "no"; });
  }
  return out;
}

}  // namespace

bool ModelCheck::passed() const {
  return text.has_value() && structured && structured->has_value() && (!grammar || grammar->has_value());
}

Result<bool> check_models(const Config& config, const std::function<void(const ModelCheck&)>& on_model) {
  GABBRO_TRY(log, CallLog::open(":memory:"));
  for (const ChatModel& model : config.models) {
    Config single = config;
    single.models = {model};
    single.models[0].roles.clear();  // It plays every role.
    for (Endpoint& e : single.endpoints) e.retries = std::min(e.retries, kMaxRetries);
    GABBRO_TRY(client, ChatClient::open(single, *log));
    on_model(check(*client, model, config.endpoints[model.endpoint]));
  }
  return true;
}

}  // namespace gabbro::chat
