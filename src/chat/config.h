// The configuration of language models: the tables [cap], [[endpoint]], [[model]] and [choice] of
// agents.toml.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/chat.h"

namespace gabbro::chat {

/// Money in millionths of the currency, so that sums are exact.
using Micro = std::int64_t;
/// Formats an amount as "0.0312": with two decimals, or up to six if they are needed.
std::string money_text(Micro amount);

/// The protocol of an endpoint (wire.h).
enum class Wire : std::uint8_t { kOpenai, kAnthropic };

/// The way a server is made to follow a JSON schema. kSchema: structured output with the schema. kTool: a
/// forced tool call (Anthropic). kObject: any JSON object, and the schema in the prompt. kGrammar: as
/// kSchema, plus a GBNF grammar if the request has one. kNone: the schema in the prompt only.
enum class Structured : std::uint8_t { kSchema, kTool, kObject, kGrammar, kNone };

/// A server that models are reached at: a table [[endpoint]].
struct Endpoint {
  std::string name;
  Wire wire = Wire::kOpenai;
  std::string url;       // base URL, such as http://127.0.0.1:8080/v1
  std::string key;       // environment variable that holds the key; empty: no key is sent
  int calls = 4;         // maximum number of calls at once
  double seconds = 120;  // time-out of one attempt in seconds
  int retries = 4;       // retries of one call after its first attempt
  Structured structured = Structured::kSchema;
};

/// Prices per token in millionths of a Micro, so that a price of 0.15 per million tokens is the integer
/// 150,000. `written` is the price of tokens written to the server's prefix cache.
struct Price {
  std::int64_t input = 0, cached = 0, written = 0, output = 0;
  /// Returns the highest price of a token of input, whether cached, written or neither.
  [[nodiscard]] std::int64_t max_input() const;
};
/// Returns the price of the tokens used, rounded up to a whole Micro.
Micro cost_of(const Price& price, const TokenUsage& usage);

/// A model that agents may ask: a table [[model]].
struct ChatModel {
  std::string name;              // name in the configuration and in records
  std::size_t endpoint = 0;      // index into Config::endpoints
  std::string model;             // name of the model at the endpoint
  std::int64_t context = 32768;  // context length in tokens, input and output together
  Price price;
  std::map<std::string, double> roles;  // weights by role; empty: every role, with weight 1
  /// Tokens that a reasoning model may use before it answers. They are added to max_tokens, which is then
  /// sent in the form for such models, without a temperature. 0: the model does not reason.
  std::int64_t thinking = 0;
  double temperature = -1;  // replaces the request's temperature; below 0: not set

  /// Returns the weight of the model for a role; 0 if it does not play it.
  [[nodiscard]] double weight(const std::string& role) const;
};

/// The limit on spending of a call log: the table [cap].
struct Cap {
  Micro money = 0;          // 0: no limit
  std::int64_t tokens = 0;  // limit on input and output together; 0: no limit
};

struct Config {
  Cap cap;
  std::vector<Endpoint> endpoints;
  std::vector<ChatModel> models;
  bool bandit = false;  // chooses models of a role by the worth and the cost of their replies

  /// Returns the environment variables that hold keys. They are hidden from workers.
  [[nodiscard]] std::vector<std::string> key_variables() const;
};

/// Returns the names of the roles, such as "coder".
std::span<const std::string_view> roles();

/// Reads the configuration. Errors, "agents", with the position: invalid TOML, unknown keys, values out of
/// range, a model without a known endpoint, a role that no model plays. Tables of other layers ([pipeline],
/// [library]) are ignored.
Result<Config> parse_config(std::string_view text);
/// Reads the configuration from a file. Errors: those of parse_config, and "agents" if it cannot be read.
Result<Config> load_config(const std::string& path);

}  // namespace gabbro::chat
