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
constexpr int kTokens = 200;

ChatRequest question(const std::string& text) {
  ChatRequest r;
  r.role = std::string(roles().front());
  r.messages = {{MessageRole::kSystem, "You are being tested. Answer briefly."}, {MessageRole::kUser, text}};
  r.max_tokens = kTokens;
  r.temperature = 0;
  return r;
}

// Returns the reply, or an error if it does not have the form that was requested.
Result<Reply> held_to(Result<Reply> reply, const char* form, const char* hint,
                      const std::function<bool(const std::string&)>& fits) {
  if (!reply || fits(reply->text)) return reply;
  return fail("chat reply", fmt::format("the reply is not {}: {}", form, beginning(reply->text)), hint);
}

bool is_structured(const std::string& text) {
  const json j = parsed<json>(text);
  return j.is_object() && !text_of(j, "colour").empty() && count_of(j, "count").has_value();
}

Checked check(Chat& chat, const ChatModel& model, const Endpoint& endpoint) {
  Checked out{model.name, endpoint.name, fail("chat reply", ""), {}, {}};
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
  out.structured = held_to(ask(structured), "valid under the schema",
                           "set `structured` of the endpoint to what the server supports", is_structured);
  if (endpoint.structured == Structured::kGrammar) {
    ChatRequest grammar = question("Is basalt a rock? Explain in a sentence.");
    grammar.grammar = kGrammar;
    out.grammar = held_to(ask(grammar), "valid under the grammar",
                          "if the server does not accept grammars, set structured = \"schema\"",
                          [](const std::string& text) { return text == "yes" || text == "no"; });
  }
  return out;
}

}  // namespace

bool Checked::good() const {
  return text.has_value() && structured && structured->has_value() && (!grammar || grammar->has_value());
}

Result<bool> check_models(const Config& config, const std::function<void(const Checked&)>& each) {
  GABBRO_TRY(log, CallLog::open(":memory:"));
  for (const ChatModel& model : config.models) {
    Config one = config;
    one.models = {model};
    one.models[0].roles.clear();
    for (Endpoint& e : one.endpoints) e.retries = std::min(e.retries, 1);
    GABBRO_TRY(client, Client::open(one, *log));
    each(check(*client, model, config.endpoints[model.endpoint]));
  }
  return true;
}

}  // namespace gabbro::chat
