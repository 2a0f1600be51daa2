#include "chat/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "net/http.h"

namespace gabbro::chat {

namespace {

constexpr std::size_t kMinKeyLength = 8;

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

}  // namespace

Result<ApiKeys> ApiKeys::from_environment(const Config& config) {
  ApiKeys out;
  for (const std::string& variable : config.key_variables()) {
    const char* value = std::getenv(variable.c_str());
    std::string key = value == nullptr ? "" : value;
    while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
    if (key.empty())
      return fail("chat key", fmt::format("the environment variable {} is not set", variable),
                  "export it in the shell that starts gabbro; keys are only read from the environment");
    if (std::any_of(key.begin(), key.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      return fail("chat key", fmt::format("the environment variable {} holds a control character", variable),
                  "set it to one line of text");
    if (key.size() >= kMinKeyLength) {
      using nlohmann::json;
      std::string quoted = json(key).dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
      quoted = quoted.substr(1, quoted.size() - 2);  // without the quotation marks
      for (const std::string& spelling : {key, quoted, replace_all(quoted, "/", "\\/"), net::escaped(key)})
        if (std::find(out.spellings_.begin(), out.spellings_.end(), spelling) == out.spellings_.end())
          out.spellings_.push_back(spelling);
    }
    out.keys_.emplace_back(variable, std::move(key));
  }
  // The longest come first, so that no key is cut by one that it contains.
  std::stable_sort(out.spellings_.begin(), out.spellings_.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  return out;
}

std::string ApiKeys::key_of(const Endpoint& endpoint) const {
  for (const auto& [variable, key] : keys_)
    if (variable == endpoint.key) return key;
  return {};
}

std::string ApiKeys::redacted(std::string text) const {
  for (const std::string& spelling : spellings_) text = replace_all(std::move(text), spelling, "[key]");
  return text;
}

Error ApiKeys::redacted(Error error) const {
  error.message = redacted(std::move(error.message));
  error.hint = redacted(std::move(error.hint));
  return error;
}

}  // namespace gabbro::chat
