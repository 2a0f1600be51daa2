#include "chat/refusal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "chat/wire_json.h"

namespace gabbro::chat {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxSearched = 2000;  // bytes of a message that are searched for words

// The words by which servers name a failure, in lower case, in the order in which they are looked for. Each
// is a part of a message, of a code or of a type.
constexpr std::array kFilterWords{"content_filter",
                                  "content filter",
                                  "content_policy",
                                  "content policy",
                                  "prohibited_content",
                                  "data_inspection_failed",
                                  "content management policy",
                                  "responsibleaipolicy",
                                  "flagged"};
constexpr std::array kMoneyWords{"insufficient_quota",    "insufficient balance",  "insufficient_balance",
                                 "insufficient credit",   "insufficient funds",    "insufficient_funds",
                                 "credit balance",        "no resource package",   "recharge",
                                 "out of credits",        "payment_required",      "payment required",
                                 "requires more credits", "account is in arrears", "billing_not_active"};
constexpr std::array kKeyWords{"api key not valid",    "api_key_invalid",   "invalid api key",
                               "invalid_api_key",      "incorrect api key", "invalid x-api-key",
                               "authentication_error", "unauthenticated",   "missing api key",
                               "no api key",           "invalid token",     "invalid_token",
                               "authentication failed"};
constexpr std::array kContextWords{"exceed_context_size_error",
                                   "context_length_exceeded",
                                   "maximum context length",
                                   "context window",
                                   "context size",
                                   "context length",
                                   "prompt is too long",
                                   "input is too long",
                                   "exceeds the maximum number of tokens"};
// These are read only in bodies of responses with a status of success.
constexpr std::array kRateWords{"rate_limit",        "rate limit",         "ratelimit", "too_many_requests",
                                "too many requests", "resource_exhausted", "throttl"};
constexpr std::array kServerWords{"overloaded",  "server_error", "server error",      "internal_error",
                                  "unavailable", "api_error",    "deadline_exceeded", "timeout",
                                  "timed out",   "bad_gateway",  "upstream"};
// Words of servers that will answer once they have their model in memory. They are read in responses with a
// status of a server error.
constexpr std::array kLoadingWords{"loading model", "loading the model", "is loading", "currently loading",
                                   "model_loading", "loading weights",   "warming up", "starting up"};

bool contains_any(const std::string& text, std::span<const char* const> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return text.find(word) != std::string::npos; });
}

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

// The contents of a body: a message for people, and everything that is searched for words.
struct Said {
  std::string message, words;
  int status = 0;  // 0: none
};

// Returns a status of HTTP in a field, as a number or as digits; 0 if there is none.
int status_in(const json& object, const char* key) {
  constexpr std::int64_t kLeast = 300, kMost = 599;
  const std::string text = text_of(object, key);
  const bool is_number = text.size() == 3 && text.find_first_not_of("0123456789") == std::string::npos;
  const std::int64_t status = is_number ? std::stol(text) : count_of(object, key).value_or(0);
  return status >= kLeast && status <= kMost ? static_cast<int>(status) : 0;
}

void add_words(Said& said, const json& object) {
  for (const char* key : {"code", "type", "status", "error_type", "reason"})
    said.words += text_of(object, key) + "\n";
}

Said read_body(const std::string& body) {
  Said said;
  json j = parsed<json>(body);
  if (j.is_array() && !j.empty()) j = json(j[0]);
  const json error = j.is_object() && j.contains("error") ? j["error"] : json();
  if (error.is_string()) said.message = error.get<std::string>();
  for (const json& object : {error, j}) {
    if (!object.is_object()) continue;
    for (const char* key : {"message", "detail", "msg"})
      if (said.message.empty()) said.message = text_of(object, key);
    for (const char* key : {"code", "status"})
      if (said.status == 0) said.status = status_in(object, key);
    add_words(said, object);
    if (const auto details = object.find("details"); details != object.end() && details->is_array())
      for (const json& detail : *details) add_words(said, detail);
    // Routers repeat here what the server behind them said.
    if (const auto more = object.find("metadata"); more != object.end())
      if (const std::string raw = text_of(*more, "raw"); !raw.empty()) said.message += ": " + raw;
  }
  if (said.message.empty()) said.message = body;
  said.words = lower_case(said.words + said.message.substr(0, kMaxSearched));
  return said;
}

// Returns the status that a body with a status of success means; 0 if it does not say.
int meant_status(const Said& said) {
  if (said.status != 0) return said.status;
  if (contains_any(said.words, kRateWords)) return 429;
  return contains_any(said.words, kServerWords) ? 503 : 0;
}

bool is_transient(int status) {
  return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

CallFailure failure_of(int status, const Said& said) {
  const bool is_server_error = status >= 500, is_rate_limit = status == 429;
  if (!is_server_error) {
    if (contains_any(said.words, kMoneyWords)) return CallFailure::kMoney;
    if (!is_rate_limit && contains_any(said.words, kFilterWords)) return CallFailure::kFiltered;
    if (!is_rate_limit && contains_any(said.words, kKeyWords)) return CallFailure::kKey;
  }
  // llama.cpp's server has this type for a prompt that is too long, also with status 500. Status 429 limits
  // the rate of requests, whatever its text says.
  const bool is_too_long = status == 413 || contains_any(said.words, kContextWords);
  if (!is_rate_limit && is_too_long &&
      (!is_server_error || said.words.find("exceed_context_size_error") != std::string::npos))
    return CallFailure::kContext;
  if (status == 402) return CallFailure::kMoney;
  if (status == 401 || status == 403) return CallFailure::kKey;
  if (is_server_error && contains_any(said.words, kLoadingWords)) return CallFailure::kLoading;
  return is_transient(status) ? CallFailure::kDown : CallFailure::kRequest;
}

std::string hint_for(CallFailure failure, int status, const Endpoint& endpoint) {
  switch (failure) {
    case CallFailure::kMoney:
      return "top up the account: it has no credit left";
    case CallFailure::kKey:
      return endpoint.key.empty() ? "the endpoint needs a key: set key = \"NAME_OF_VARIABLE\""
                                  : "check the key in " + endpoint.key;
    case CallFailure::kContext:
      return "lower `context` of the model in agents.toml to the server's";
    case CallFailure::kLoading:
      return "try again once the server has loaded its model";
    case CallFailure::kFiltered:
      return "give the role another model, or change the setting of the filter at the server";
    case CallFailure::kRequest:
      if (status < 400 && status >= 300) return "the server redirects: correct `url` in agents.toml";
      if (status == 404)
        return "check that `url` ends as the server expects (often in /v1), and that the server has the "
               "model";
      if (status == 400 || status == 422)
        return "if it is about schemas, tools or grammars, change `structured`; if about temperature or "
               "max_tokens, `thinking`";
      return "";
    default:
      return "";
  }
}

}  // namespace

Refusal read_refusal(int http_status, const std::string& body, const Endpoint& endpoint) {
  const Said said = read_body(body);
  const bool is_success = http_status >= 200 && http_status < 300;
  const int meant = is_success ? meant_status(said) : http_status;
  const int status = meant != 0 ? meant : http_status;
  const CallFailure failure = failure_of(status, said);
  const std::string message = said.message.empty() ? "nothing" : beginning(said.message);
  return {.failure = failure,
          .message = fmt::format(
              "{}: status {}: {}{}", endpoint.name, status,
              failure == CallFailure::kFiltered ? "the server's content filter refused the prompt: " : "",
              message),
          .hint = hint_for(failure, status, endpoint)};
}

}  // namespace gabbro::chat
