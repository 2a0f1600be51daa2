// What agents need of a language model: a conversation goes in, a reply comes out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::chat {

struct Message {
  std::string who;  // "system", "user", "assistant"
  std::string text;
};

/// A question to whichever model plays a role. What does not change between calls comes first in `messages`,
/// so that servers can keep its prefix.
struct Request {
  std::string role;       // "proposer", "reviewer", "planner", "coder", "observer", "librarian"
  std::int64_t task = 0;  // the design in the making, on whose account it goes; 0: none
  int variant = 0;        // tells several candidates for one place apart: equal requests otherwise
  std::vector<Message> messages;
  std::string schema;   // JSON schema of the reply; empty: text
  std::string grammar;  // GBNF of the reply, for servers that take one; those that do not leave it out
  int max_tokens = 2048;
  double temperature = 0.7;
};

struct Usage {
  std::int64_t input = 0;    // tokens of the conversation, those of a kept prefix included
  std::int64_t cached = 0;   // of these, those of a kept prefix
  std::int64_t written = 0;  // of these, those kept for later at a price of their own
  std::int64_t output = 0;
};

struct Reply {
  std::string text;
  bool cut = false;   // it reached max_tokens
  std::string model;  // that answered, by its name in the configuration
  Usage usage;
  double cost = 0;  // in the money of the prices
  double seconds = 0;
};

/// A language model, or several behind one door. `ask` may be called from several threads at once and blocks
/// until the reply is there. Errors, by code: "chat key" (refused by the endpoint: key, rights), "chat down"
/// (no endpoint answers; after retries), "chat reply" (an answer that is none of the interface), "chat
/// context" (the conversation is longer than the model reads), "cap" (the ledger's, nothing was sent),
/// "replay" (nothing is recorded for this request), "stopped", "store" (the record of calls cannot be
/// written).
class Chat {
 public:
  virtual ~Chat() = default;
  virtual Result<Reply> ask(const Request& request) = 0;
  /// Tells what a reply turned out to be worth, from 0 to 1 (it checked, it was accepted): for choosing
  /// between models of a role.
  virtual void judged(const std::string& /*role*/, const Reply& /*reply*/, double /*worth*/) {}
};

}  // namespace gabbro::chat
