// The interface to a language model that agents use: a conversation goes in, a reply comes out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::chat {

/// The author of a message, which both wire formats call its role. A role of Gabbro is what ChatRequest::role
/// names.
enum class MessageAuthor : std::uint8_t { kSystem, kUser, kAssistant };

struct Message {
  MessageAuthor from = MessageAuthor::kUser;
  std::string text;
};

/// A question to the model that plays a role. Parts that are the same in many calls come first in `messages`,
/// so that servers can cache the prefix.
struct ChatRequest {
  std::string role;       // of an agent: one of roles() (config.h); "library" for a search, only recorded
  std::int64_t task = 0;  // number of the task to which the cost is charged; 0: none
  int variant = 0;        // distinguishes otherwise equal requests, as for several candidates
  std::vector<Message> messages;
  std::string schema;     // JSON schema of the reply; empty: plain text
  std::string grammar;    // GBNF grammar of the reply, not sent to servers without grammars; empty: none
  int max_tokens = 2048;  // of the reply
  double temperature = 0.7;
};

/// The numbers of tokens of a call, as the server counted them.
struct TokenUsage {
  std::int64_t input = 0;       // tokens of the conversation, including the cached prefix
  std::int64_t cache_read = 0;  // part of input that was read from the cache
  std::int64_t cache_written =
      0;  // part of input that was written to the cache, which may have its own price
  std::int64_t output = 0;
};

struct Reply {
  std::string text;
  bool was_cut = false;  // the reply reached max_tokens
  std::string model;     // model that answered, by its name in the configuration
  TokenUsage usage;
  double cost = 0;     // in the currency of the prices
  double seconds = 0;  // from the first attempt to the reply
};

/// The calls that ended without a reply, and what they took.
struct FailedCalls {
  std::int64_t calls = 0, input_tokens = 0, output_tokens = 0;  // tokens as they are counted (call_log.h)
  double cost = 0;                                              // in the currency of the prices
};

/// A language model, or several behind one interface. `ask` may be called from several threads at once and
/// blocks until the reply arrives. Errors, by code: "chat key" (the endpoint refuses the key or the rights),
/// "chat down" (no endpoint answers, after retries), "chat reply" (no model gives a reply that can be
/// read), "chat context" (the conversation exceeds the model's context), "cap" (the cap does not allow
/// the call; nothing was sent), "replay" (nothing is recorded for this request), "stopped", "store" (the call
/// log cannot be written).
class Chat {
 public:
  virtual ~Chat() = default;
  virtual Result<Reply> ask(const ChatRequest& request) = 0;
  /// Reports the worth of a reply, from 0 to 1 (1: it passed the checker or was accepted), for the choice
  /// between models of a role.
  virtual void report_worth(const std::string& /*role*/, const Reply& /*reply*/, double /*worth*/) {}
  /// Returns what the calls of a task took that ended without a reply. They may be billed all the same.
  [[nodiscard]] virtual FailedCalls failed_calls(std::int64_t /*task*/) const { return {}; }
};

}  // namespace gabbro::chat

template <>
struct gabbro::record::Spelling<gabbro::chat::MessageAuthor> {
  static constexpr std::string_view kWhat = "author of a message";
  static constexpr std::array<std::string_view, 3> kWords{"system", "user", "assistant"};
};
