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

/// Money in millionths, so that sums are exact.
using Micro = std::int64_t;
/// "0.0312": two decimals, up to six where they are needed.
std::string money_text(Micro amount);

enum class Wire : std::uint8_t { kOpenai, kAnthropic };

/// How a server is made to keep to a JSON schema. kSchema: by the schema; kTool: by a tool that must be
/// called (Anthropic); kObject: some JSON object, the schema is told in words; kGrammar: as kSchema, and by a
/// GBNF grammar where a request has one; kNone: in words alone.
enum class Structured : std::uint8_t { kSchema, kTool, kObject, kGrammar, kNone };

struct Endpoint {
  std::string name;
  Wire wire = Wire::kOpenai;
  std::string url;       // the base, as http://127.0.0.1:8080/v1
  std::string key;       // the environment variable that holds the key; empty: none is sent
  int calls = 4;         // at a time
  double seconds = 120;  // for one attempt
  int retries = 4;       // of one call, after its first attempt
  Structured structured = Structured::kSchema;
};

/// Prices of a token, in millionths of Micro (so that 0.15 per million tokens is the integer 150,000).
struct Price {
  std::int64_t input = 0, cached = 0, written = 0,
               output = 0;  // written: into the server's memory of prefixes
  [[nodiscard]] std::int64_t dearest_input() const;
};
/// What tokens cost, rounded up to whole Micro.
Micro cost_of(const Price& price, const Usage& usage);

struct Model {
  std::string name;
  std::size_t endpoint = 0;  // index into Config::endpoints
  std::string model;         // as the endpoint knows it
  std::int64_t context = 32768;
  Price price;
  std::map<std::string, double> roles;  // weights; empty: every role, with weight 1
  /// Tokens that a model may think before it answers: added to max_tokens, which is then sent as such models
  /// want it, without a temperature. 0: it does not think.
  std::int64_t thinking = 0;
  double temperature = -1;  // instead of the requests'; below 0: theirs

  [[nodiscard]] double weight(const std::string& role) const;
};

struct Cap {
  Micro money = 0;          // 0: none
  std::int64_t tokens = 0;  // 0: none; input and output together
};

struct Config {
  Cap cap;
  std::vector<Endpoint> endpoints;
  std::vector<Model> models;
  bool bandit = false;  // models of a role are chosen by what their replies were worth and cost

  /// The variables that hold keys: they are hidden from workers.
  [[nodiscard]] std::vector<std::string> key_variables() const;
};

/// Names of the roles.
std::span<const std::string_view> roles();

/// Errors, "agents", with the place: TOML's, unknown keys, values outside of their range, a model of no
/// endpoint, a role that nobody plays. Tables that are not this layer's ([pipeline], [library]) are left
/// alone.
Result<Config> parse_config(std::string_view text);
/// Errors: those, and no such file.
Result<Config> load_config(const std::string& path);

}  // namespace gabbro::chat
