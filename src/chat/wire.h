// The two protocols of model servers as pure functions: a request becomes a JSON body, and a response becomes
// a reply.
//
// The protocols are OpenAI's chat completions (also spoken by vLLM, llama.cpp, Ollama, OpenRouter and others)
// and Anthropic's messages.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "chat/chat.h"
#include "chat/config.h"
#include "net/http.h"

namespace gabbro::chat {

/// Returns the HTTP request that asks `model` at `endpoint`, with `key` in a header unless it is empty. Bytes
/// that are not UTF-8 are replaced by U+FFFD. A schema that is not valid JSON is left out. If the server
/// cannot enforce the schema, the last message describes it.
net::HttpRequest to_http(const ChatRequest& request, const Endpoint& endpoint, const ChatModel& model,
                         const std::string& key);

/// The content of a response. `usage` is set whenever it could be read, even with an error, since it is
/// billed.
struct ParsedResponse {
  Result<Reply> reply = fail("chat reply", "no response");  // without cost, seconds and the model's name
  std::optional<TokenUsage> usage;
  // The same call may succeed later: the server is overloaded, limits the rate of requests, or failed.
  bool may_retry = false;
};

/// Reads a response. Errors: "chat key" (status 401, 402 or 403, or an exhausted quota), "chat context",
/// "chat down" (with `may_retry`), "chat reply" (any other response that is not a reply, with its beginning).
/// An empty reply is an error; a reply that was cut is not.
ParsedResponse parse_response(const net::HttpResponse& response, const Endpoint& endpoint);

/// The estimated number of input tokens of a request. `likely` assumes 3 bytes per token, which gives more
/// tokens than English or code have. `maximum` assumes 1 byte per token, which no byte-level tokenizer
/// exceeds, plus the tokens that servers add around messages and schemas.
struct TokenEstimate {
  std::int64_t likely = 0, maximum = 0;
};
TokenEstimate estimate_tokens(const ChatRequest& request);

/// Returns the maximum number of output tokens of a call, including reasoning.
std::int64_t max_output_tokens(const ChatRequest& request, const ChatModel& model);

}  // namespace gabbro::chat
