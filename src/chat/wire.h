// The two protocols of model servers as pure functions: a request becomes a JSON body, and a response becomes
// a reply.
//
// The protocols are OpenAI's chat completions (also spoken by vLLM, llama.cpp, Ollama, OpenRouter and others)
// and Anthropic's messages.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "chat/call_failure.h"
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
  // Tokens of input that the total counts and `usage` does not, of a prompt that the server seems to have
  // cut.
  std::int64_t uncounted_input = 0;
  bool is_usage_doubtful = false;  // its numbers contradict each other, so more may be billed
  bool is_generated = false;       // a model wrote something, which may be billed without a usage
  CallFailure failure = CallFailure::kUnreadable;
};

/// Reads a response to `request`. The code of an error is that of its failure's rule. An empty reply is an
/// error; a reply that was cut is not. An event stream is read as one reply. Bytes that are not UTF-8 and
/// halves of surrogate pairs become U+FFFD. Text that stands in the field of the model's thoughts, or in a
/// tool call that nobody asked for, is the reply if it has the form that was asked for.
ParsedResponse parse_response(const net::HttpResponse& response, const ChatRequest& request,
                              const Endpoint& endpoint);

/// Returns true if the server counted far fewer tokens of input than the request can have.
bool is_prompt_cut(std::int64_t input, const ChatRequest& request);
/// Returns a sentence if the server counted far fewer tokens of input than the request can have, so that it
/// may have cut the prompt; empty if not.
std::string cut_prompt(const TokenUsage& usage, const ChatRequest& request, const ChatModel& model);
/// Returns a sentence if the server counted more tokens of output than it was allowed, which are thoughts;
/// empty if not.
std::string uncapped_thoughts(const TokenUsage& usage, const ChatRequest& request, const ChatModel& model);

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
