// The two interfaces that servers of language models speak, as pure functions: a request becomes a body of
// JSON, a response becomes a reply.
//
// OpenAI's chat completions (also vLLM, llama.cpp, Ollama, OpenRouter ...) and Anthropic's messages.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "chat/chat.h"
#include "chat/config.h"
#include "net/http.h"

namespace gabbro::chat {

/// The HTTP request that asks `model` at `endpoint`. Text that is not UTF-8 is sent with U+FFFD in its place.
/// A schema that is not JSON is left out; where the server is not made to keep to the schema, the last
/// message tells it.
net::HttpRequest to_http(const Request& request, const Endpoint& endpoint, const Model& model,
                         const std::string& key);

/// What a response says. `usage` is there whenever it could be read, also beside an error: it is what will be
/// paid.
struct Answer {
  Result<Reply> reply = fail("chat reply", "no response");  // without cost, seconds and the model's name
  std::optional<Usage> usage;
  bool again =
      false;  // the same call may succeed later: overloaded, too many requests, a fault of the server
};

/// Errors: "chat key" (401, 402, 403, a used-up quota), "chat context", "chat down" (with `again`), "chat
/// reply" (anything else that is no reply: with the beginning of what came). A reply that consists of nothing
/// is an error; one that was cut is a reply.
Answer read_answer(const net::HttpResponse& response, const Endpoint& endpoint);

/// How many tokens a request has: `likely` at 3 bytes a token, which is more than English or code have;
/// `most` at a byte a token, which no tokenizer of bytes exceeds, with what servers add around messages and
/// schemas.
struct Size {
  std::int64_t likely = 0, most = 0;
};
Size size_of(const Request& request);

/// The tokens of output that a call may take: those asked for and those to think.
std::int64_t most_output(const Request& request, const Model& model);

}  // namespace gabbro::chat
