// Whether models answer as the configuration says: for `gabbro agents test`.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "chat/chat.h"
#include "chat/config.h"

namespace gabbro::chat {

/// What a model did. `structured` and `grammar` are empty where they were not tried: the model gave no text,
/// or takes no grammars.
struct Checked {
  std::string model, endpoint;
  Result<Reply> text;                                // to a plain question
  std::optional<Result<Reply>> structured, grammar;  // errors also where a reply came and is not of the form
  int calls = 0;
  double money = 0, seconds = 0;  // of all calls; seconds of the first
  std::int64_t tokens = 0;

  [[nodiscard]] bool good() const;
};

/// Asks each model two or three short questions, one after the other, with one retry, under the
/// configuration's cap; nothing is recorded. `each` is called after each model. Errors: "chat key" for a key
/// that is not set, "store".
Result<bool> check_models(const Config& config, const std::function<void(const Checked&)>& each);

}  // namespace gabbro::chat
