// Keys of endpoints: read from the environment, and taken out of everything that is kept or shown.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "chat/config.h"

namespace gabbro::chat {

/// The keys that a configuration names, which live in this object and in the headers of requests alone.
class Keys {
 public:
  Keys() = default;
  /// Errors, "chat key": a variable that is not set, is empty, or holds what no header may (a line end
  /// within).
  static Result<Keys> from_environment(const Config& config);

  /// Of an endpoint; empty where it needs none.
  [[nodiscard]] std::string of(const Endpoint& endpoint) const;
  /// `text` with "[key]" for every key in it, also as JSON and addresses spell it. Keys of fewer than 8
  /// characters are placeholders for servers that want any, and stay. O(text) for each key.
  [[nodiscard]] std::string redacted(std::string text) const;
  [[nodiscard]] Error redacted(Error error) const;

 private:
  std::vector<std::pair<std::string, std::string>> keys_;  // variable, key
  std::vector<std::string> spellings_;                     // longest first
};

}  // namespace gabbro::chat
