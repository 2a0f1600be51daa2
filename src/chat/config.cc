#include "chat/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/files.h"
#include "base/toml.h"

namespace gabbro::chat {

namespace {

constexpr const char* kCode = "agents";  // code of all errors
constexpr std::array<std::string_view, 6> kRoles{"librarian", "proposer", "reviewer",
                                                 "planner",   "coder",    "observer"};
constexpr double kMicro = 1e6;  // Micros in a unit of the currency

// Reads a value that has to be one of a few words.
template <class T>
void read_choice(TomlTable& t, const char* key, T& value,
                 const std::vector<std::pair<const char*, T>>& words) {
  const toml::node* n = t.node(key);
  if (!n) return;
  std::string known;
  for (const auto& [word, meaning] : words) {
    if (n->value_exact<std::string>() == word) {
      value = meaning;
      return;
    }
    known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", word);
  }
  t.fail(n, fmt::format("{} must be one of {}", key, known), "");
}

// Reads a price per million tokens into `value`, in the unit of Price. Returns true if it is present.
bool read_price(TomlTable& t, const char* key, std::int64_t& value) {
  double read = -1;
  t(key, read);
  if (read < 0) return false;
  value = std::llround(read * kMicro);
  return true;
}

// Reports a value outside `low` to `high`, at its key or else at the table.
void check_range(TomlTable& t, const toml::table& table, const char* key, double value, double low,
                 double high) {
  if (value < low || value > high)
    t.fail(table.get(key) ? table.get(key) : &table,
           fmt::format("{} is {:g}, outside {:g} to {:g}", key, value, low, high), "");
}

void read_cap(const toml::table& table, Config& c, Error& error) {
  TomlTable t(table, "cap: ", kCode, error);
  double money = 0;
  t("money", money);
  t("tokens", c.cap.tokens);
  check_range(t, table, "money", money, 0, 1e9);
  c.cap.money = std::llround(money * kMicro);
}

// Checks the URL and removes slashes from its end. A URL with a user name or a query may contain a key.
void check_url(TomlTable& t, const toml::table& table, Endpoint& e) {
  const toml::node* node = table.get("url") ? table.get("url") : &table;
  const std::size_t host = e.url.find("://");
  if (!e.url.starts_with("http://") && !e.url.starts_with("https://"))
    t.fail(node, fmt::format("url is '{}', which is not an HTTP URL", e.url),
           "write it like http://127.0.0.1:8080/v1");
  else if (e.url.substr(host + 3, e.url.find('/', host + 3) - host - 3).find('@') != std::string::npos ||
           e.url.find('?') != std::string::npos)
    t.fail(node, "url must not contain a user name, a password or a query",
           "name the environment variable with the key: key = \"NAME_OF_VARIABLE\"");
  while (e.url.ends_with('/')) e.url.pop_back();
}

void read_endpoint(const toml::table& table, Config& c, Error& error) {
  Endpoint e;
  e.name = table["name"].value_or(std::string());
  TomlTable t(table, fmt::format("endpoint {}: ", e.name), kCode, error);
  t("name", e.name);
  read_choice<Wire>(t, "kind", e.wire, {{"openai", Wire::kOpenai}, {"anthropic", Wire::kAnthropic}});
  t("url", e.url);
  t("key", e.key);
  t("calls", e.calls);
  t("seconds", e.seconds);
  t("retries", e.retries);
  if (e.wire == Wire::kAnthropic) {
    e.structured = Structured::kTool;
    read_choice<Structured>(
        t, "structured", e.structured,
        {{"tool", Structured::kTool}, {"schema", Structured::kSchema}, {"none", Structured::kNone}});
  } else {
    read_choice<Structured>(t, "structured", e.structured,
                            {{"schema", Structured::kSchema},
                             {"object", Structured::kObject},
                             {"grammar", Structured::kGrammar},
                             {"none", Structured::kNone}});
  }
  if (e.name.empty()) t.fail(&table, "an [[endpoint]] has no name", "add one, such as name = \"local\"");
  check_url(t, table, e);
  if (std::any_of(e.key.begin(), e.key.end(), [](unsigned char x) { return !std::isalnum(x) && x != '_'; }))
    t.fail(table.get("key"), "key is not a valid environment variable name",
           "do not store the key itself in a file: export it, and write the name of the variable here");
  check_range(t, table, "calls", e.calls, 1, 1000);
  check_range(t, table, "seconds", e.seconds, 0.01, 7200);
  check_range(t, table, "retries", e.retries, 0, 20);
  for (const Endpoint& other : c.endpoints)
    if (other.name == e.name) t.fail(&table, fmt::format("two endpoints are named '{}'", e.name), "");
  c.endpoints.push_back(std::move(e));
}

void read_roles(TomlTable& t, const toml::node& n, ChatModel& m) {
  const toml::table* weights = n.as_table();
  if (!weights)
    return t.fail(&n, "roles is not a table", "write it like roles = { coder = 1.0, proposer = 0.5 }");
  for (const auto& [key, node] : *weights) {
    const std::string role(key.str());
    if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end())
      return t.fail(&node, fmt::format("unknown role '{}'", role),
                    fmt::format("known roles: {}", fmt::join(kRoles, ", ")));
    const auto weight = node.value<double>();
    if (!weight || !(*weight >= 0 && *weight <= 1e6))
      return t.fail(&node, fmt::format("the weight of {} must be a number of at least 0", role), "");
    m.roles[role] = *weight;
  }
  if (m.roles.empty()) t.fail(&n, "roles is empty", "leave it out to let the model play every role");
}

void read_model(const toml::table& table, Config& c, Error& error) {
  ChatModel m;
  m.name = table["name"].value_or(std::string());
  TomlTable t(table, fmt::format("model {}: ", m.name), kCode, error);
  std::string endpoint;
  double temperature = -1;  // below 0: not set
  t("name", m.name);
  t("endpoint", endpoint);
  t("model", m.model);
  t("context", m.context);
  t("thinking", m.thinking);
  t("temperature", temperature);
  m.temperature = temperature;
  if (const toml::node* n = t.node("roles")) read_roles(t, *n, m);
  if (m.name.empty()) t.fail(&table, "a [[model]] has no name", "add one, such as name = \"small\"");
  if (m.model.empty()) t.fail(&table, "model is missing", "add the name by which the endpoint knows it");
  const auto found = std::find_if(c.endpoints.begin(), c.endpoints.end(),
                                  [&](const Endpoint& e) { return e.name == endpoint; });
  if (found == c.endpoints.end()) {
    std::string known;
    for (const Endpoint& e : c.endpoints) known += (known.empty() ? "" : ", ") + e.name;
    return t.fail(table.get("endpoint") ? table.get("endpoint") : &table,
                  fmt::format("unknown endpoint '{}'", endpoint), "known endpoints: " + known);
  }
  m.endpoint = static_cast<std::size_t>(found - c.endpoints.begin());
  read_price(t, "input", m.price.input);
  read_price(t, "output", m.price.output);
  // Anthropic charges a quarter more for tokens that it is told to cache. Elsewhere caching is free. Without
  // a price for cached tokens, the full input price is assumed.
  if (!read_price(t, "cached", m.price.cached)) m.price.cached = m.price.input;
  if (!read_price(t, "written", m.price.written))
    m.price.written = found->wire == Wire::kAnthropic ? m.price.input + m.price.input / 4 : m.price.input;
  check_range(t, table, "context", static_cast<double>(m.context), 256, 1e9);
  check_range(t, table, "temperature", std::max(m.temperature, 0.0), 0, 2);
  for (const char* key : {"input", "cached", "written", "output"})
    check_range(t, table, key, table[key].value_or(0.0), 0, 1e5);
  for (const ChatModel& other : c.models)
    if (other.name == m.name) t.fail(&table, fmt::format("two models are named '{}'", m.name), "");
  c.models.push_back(std::move(m));
}

// Calls `read` for each table of the array `key`, until one has an error.
void read_each(TomlTable& t, const char* key, const char* hint, Config& c, Error& error,
               void (*read)(const toml::table&, Config&, Error&)) {
  const toml::node* list = t.node(key);
  if (!list || !list->is_array_of_tables())
    return t.fail(list, fmt::format("there is no [[{}]] table", key), hint);
  for (const toml::node& one : *list->as_array())
    if (error.code.empty()) read(*one.as_table(), c, error);
}

}  // namespace

std::span<const std::string_view> roles() { return kRoles; }

std::string money_text(Micro amount) {
  std::string out = fmt::format("{}{}.{:06}", amount < 0 ? "-" : "", std::abs(amount) / 1'000'000,
                                std::abs(amount) % 1'000'000);
  while (out.ends_with('0') && out[out.size() - 3] != '.') out.pop_back();
  return out;
}

std::int64_t Price::max_input() const { return std::max({input, cached, written}); }

Micro cost_of(const Price& price, const TokenUsage& usage) {
  using Wide = __int128;  // A price times a number of tokens may exceed 64 bits.
  const std::int64_t plain_input =
      std::max<std::int64_t>(0, usage.input - usage.cache_read - usage.cache_written);
  const Wide sum = Wide{plain_input} * price.input + Wide{usage.cache_read} * price.cached +
                   Wide{usage.cache_written} * price.written + Wide{usage.output} * price.output;
  return static_cast<Micro>((sum + 999'999) / 1'000'000);
}

double ChatModel::weight(const std::string& role) const {
  if (roles.empty()) return 1;
  const auto found = roles.find(role);
  return found == roles.end() ? 0 : found->second;
}

std::vector<std::string> Config::key_variables() const {
  std::vector<std::string> out;
  for (const Endpoint& e : endpoints)
    if (!e.key.empty() && std::find(out.begin(), out.end(), e.key) == out.end()) out.push_back(e.key);
  return out;
}

Result<Config> parse_config(std::string_view text) {
  GABBRO_TRY(parsed, parse_toml(text, kCode, "see docs/agents.md for an example"));
  Config c;
  Error error;
  {
    TomlTable t(parsed, "", kCode, error);
    const auto table = [&](const char* key) -> const toml::table* {
      const toml::node* n = t.node(key);
      if (n && !n->is_table())
        t.fail(n, fmt::format("{} is not a table", key), fmt::format("write [{}] on a line of its own", key));
      return n ? n->as_table() : nullptr;
    };
    if (const toml::table* cap = table("cap")) read_cap(*cap, c, error);
    if (const toml::table* choice = table("choice"))
      TomlTable(*choice, "choice: ", kCode, error)("bandit", c.bandit);
    // These tables belong to other layers; reading them makes them known.
    for (const char* other : {"pipeline", "library"}) (void)t.node(other);
    read_each(t, "endpoint", "add one to say where models are served; see docs/agents.md", c, error,
              read_endpoint);
    read_each(t, "model", "add one to say which models to use; see docs/agents.md", c, error, read_model);
    for (const std::string_view role : kRoles)
      if (std::none_of(c.models.begin(), c.models.end(),
                       [&](const ChatModel& m) { return m.weight(std::string(role)) > 0; }))
        t.fail(/*at=*/nullptr, fmt::format("no model has the role of {}", role),
               "add a model for it; a model without `roles` plays every role");
  }
  if (!error.code.empty()) return tl::unexpected(error);
  return c;
}

Result<Config> load_config(const std::string& path) {
  const auto text = read_file(path, kMostText);
  if (!text) return fail(kCode, text.error().message, "see docs/agents.md for an example");
  return parse_config(*text);
}

}  // namespace gabbro::chat
