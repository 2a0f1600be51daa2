// The keys of endpoints: read from the environment, and removed from everything that is stored or shown.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "chat/config.h"

namespace gabbro::chat {

/// The keys that a configuration names. They exist only in this object and in the headers of requests.
class ApiKeys {
 public:
  ApiKeys() = default;
  /// Reads the keys of Config::key_variables(). Errors, "chat key": a variable is not set, is empty, or
  /// contains a control character, which no header may contain.
  static Result<ApiKeys> from_environment(const Config& config);

  /// Returns the key of an endpoint; empty if it needs none.
  [[nodiscard]] std::string key_of(const Endpoint& endpoint) const;
  /// Replaces every key in `text` by "[key]", also where it is escaped as in JSON or URLs. Keys shorter
  /// than 8 characters are placeholders for servers that accept any key, and stay. O(text) per key.
  [[nodiscard]] std::string redacted(std::string text) const;
  [[nodiscard]] Error redacted(Error error) const;

 private:
  std::vector<std::pair<std::string, std::string>> keys_;  // variable, key
  std::vector<std::string> spellings_;                     // of all long keys, longest first
};

}  // namespace gabbro::chat
